// What a tunnel connection tells its owner.

import type { ProxyError } from './error.ts';
import type { LinkFrame, OpenFields, ResumableFrame } from './frame.ts';

export type TunnelEvent =
  | { readonly type: 'open'; readonly streamId: number; readonly fields: OpenFields }
  /** A stream that the peer opened and that was refused at once, for a limit. */
  | { readonly type: 'declined'; readonly error: ProxyError }
  | { readonly type: 'accepted'; readonly streamId: number }
  | { readonly type: 'refused'; readonly streamId: number; readonly code: number; readonly message: string }
  /** A view of what was received. Tell `consumed` once it is drained. */
  | { readonly type: 'data'; readonly streamId: number; readonly data: Uint8Array }
  | { readonly type: 'end'; readonly streamId: number }
  | { readonly type: 'datagram'; readonly streamId: number; readonly data: Uint8Array }
  | { readonly type: 'reset'; readonly streamId: number; readonly code: number; readonly message: string }
  /** Credit came back for a stream whose own was used up by a `sendData` that took less than it was given. */
  | { readonly type: 'writable'; readonly streamId: number }
  /** Credit came back for the connection, which had none left: whoever waits for that may go on, in the owner's order. */
  | { readonly type: 'linkWritable' }
  | {
      readonly type: 'goaway';
      readonly lastStreamId: number;
      readonly code: number;
      readonly message: string;
    }
  | { readonly type: 'pong'; readonly roundTripMs: number }
  /** Of the agreement on modes; its order is judged by who keeps that. */
  | { readonly type: 'link'; readonly frame: LinkFrame }
  /** How the tunnel can go on upon another link. */
  | { readonly type: 'resumable'; readonly frame: ResumableFrame }
  /** Nothing comes on the link that is there: another one has to take its place. */
  | { readonly type: 'silent'; readonly error: ProxyError }
  /** The connection is over. The output still holds a `goaway` that says why to the peer. */
  | { readonly type: 'failed'; readonly error: ProxyError };

/** Events in order, bounded by what one `receive` can bring forth. */
export class EventQueue {
  readonly #events: TunnelEvent[] = [];
  #head = 0;

  push(event: TunnelEvent): void {
    this.#events.push(event);
  }

  shift(): TunnelEvent | undefined {
    const event = this.#events[this.#head];
    if (event === undefined) return undefined;
    this.#head += 1;
    if (this.#head === this.#events.length) {
      this.#events.length = 0;
      this.#head = 0;
    }
    return event;
  }
}
