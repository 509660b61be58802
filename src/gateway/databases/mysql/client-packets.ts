// What a client sends in a session: its packets are followed by their heads, and of commands the beginning is looked at. Those that may go
// on do so in the pieces in which they come; of the others a stand-in does, in their place, once it is known which packet is their last.

import { packetHeadBytes, payloadBytesMax, readHead } from './packet.ts';

/** What becomes of one command. */
export type Verdict =
  | { readonly kind: 'passes' }
  /** That goes to the server in its place. @param following the number of the packet that the client waits for */
  | { readonly kind: 'replaced'; readonly packet: (following: number) => Uint8Array };

export interface CommandJudge {
  /** How much of a command is looked at, its number among it. */
  lookedBytes(number: number): number;
  /** @param beginning as much as is looked at, or all of it */
  judge(beginning: Uint8Array, isWhole: boolean): Verdict;
}

export interface TakenPackets {
  /** What goes on, in order. */
  readonly pieces: readonly Uint8Array[];
  /** What came can't be read on, and nothing behind it goes on. `within`: a part of the command has gone on already. */
  readonly broken?: 'between' | 'within';
}

/** Holds back the beginning of one command at most. */
export class ClientPackets {
  readonly #judge: CommandJudge;
  #held: Uint8Array = new Uint8Array(0);
  /** Of the packet that is on the way. */
  #left = 0;
  /** Undefined: the command goes on. */
  #inPlace: ((following: number) => Uint8Array) | undefined;
  /** The next packet belongs to the command, and has the number behind this one. */
  #goesOn = false;
  #sequence = 0;
  #isBroken = false;

  constructor(judge: CommandJudge) {
    this.#judge = judge;
  }

  /** The number of a response to what came last. */
  get following(): number {
    return (this.#sequence + 1) & 0xff;
  }

  take(chunk: Uint8Array): TakenPackets {
    if (this.#isBroken) return { pieces: [] };
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const pieces: Uint8Array[] = [];
    let at = 0;
    let from = 0;
    /** What passes goes on up to here; what does not is left out. */
    const cut = (): void => {
      if (this.#inPlace === undefined && from < at) pieces.push(bytes.subarray(from, at));
      from = at;
    };
    for (;;) {
      const moved = Math.min(this.#left, bytes.length - at);
      at += moved;
      this.#left -= moved;
      if (this.#left > 0 || at === bytes.length) break;
      const head = bytes.length - at < packetHeadBytes ? undefined : readHead(bytes, at);
      if (head === undefined) break;
      if (this.#goesOn ? head.sequence !== ((this.#sequence + 1) & 0xff) : !isCommand(head)) {
        cut();
        this.#sequence = head.sequence;
        return this.#breaks(pieces);
      }
      if (!this.#goesOn) {
        const verdict = this.#verdictOf(bytes, at, head.length);
        if (verdict === undefined) break;
        cut();
        this.#inPlace = verdict.kind === 'replaced' ? verdict.packet : undefined;
      }
      this.#sequence = head.sequence;
      this.#goesOn = head.length === payloadBytesMax;
      if (this.#inPlace !== undefined && !this.#goesOn) pieces.push(this.#inPlace(this.following));
      this.#left = packetHeadBytes + head.length;
    }
    cut();
    // A copy: the rest of the chunk need not be kept for it.
    this.#held = bytes.slice(at);
    return { pieces };
  }

  /** Undefined: not enough of it is there. */
  #verdictOf(bytes: Uint8Array, at: number, length: number): Verdict | undefined {
    const first = bytes[at + packetHeadBytes];
    if (first === undefined) return undefined;
    const looked = Math.min(length, this.#judge.lookedBytes(first));
    const start = at + packetHeadBytes;
    if (bytes.length - start < looked) return undefined;
    return this.#judge.judge(bytes.subarray(start, start + looked), looked === length);
  }

  #breaks(pieces: readonly Uint8Array[]): TakenPackets {
    this.#isBroken = true;
    this.#held = new Uint8Array(0);
    return { pieces, broken: this.#goesOn && this.#inPlace === undefined ? 'within' : 'between' };
  }
}

/** Each begins to count anew, and has a number of its own. */
function isCommand({ length, sequence }: { readonly length: number; readonly sequence: number }): boolean {
  return sequence === 0 && length > 0;
}
