// A request's body that can be handed to one taker by calls, without the queue of a stream.

import { Readable } from 'node:stream';

/** Takes a piece, which holds until this returns. False: no more before `more`. */
export type BodyTaker = (piece: Uint8Array) => boolean;

export abstract class DirectBody extends Readable {
  /** From now on every piece goes to the taker, what is there first; end and faults are told as ever. */
  abstract takeOver(taker: BodyTaker): void;
  /** The taker takes more. */
  abstract more(): void;
  /** A stream again, of what still comes. */
  abstract giveBack(): void;
}
