// What a server says in a session: it goes on as it is, but for errors that stand in the place of our own words. Of the packets their heads
// are read, and of such an error all.

import { fromServer, packetHeadBytes, payloadBytesMax, readHead } from './packet.ts';
import { standInErrorBytesMax } from './stand-in.ts';

/** In place of an error; undefined: it goes on. Nothing goes on behind the last one. */
export type InPlaceOf = (
  payload: Uint8Array,
) => { readonly bytes: Uint8Array; readonly isLast: boolean } | undefined;

/** The first packet of a response: of others that are numbered so, after 256, none begins as an error does. */
const firstOfResponse = 1;

export class ServerPackets {
  readonly #inPlaceOf: InPlaceOf;
  #held: Uint8Array = new Uint8Array(0);
  #left = 0;
  #goesOn = false;
  #sequence = 0;
  #isOver = false;

  constructor(inPlaceOf: InPlaceOf) {
    this.#inPlaceOf = inPlaceOf;
  }

  /** Between two packets. */
  get isBetween(): boolean {
    return !this.#isOver && this.#left === 0 && this.#held.length === 0 && !this.#goesOn;
  }

  /** Of the last packet that has begun. */
  get sequence(): number {
    return this.#sequence;
  }

  /** What goes on. */
  take(chunk: Uint8Array): readonly Uint8Array[] {
    if (this.#isOver) return [];
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const pieces: Uint8Array[] = [];
    let at = 0;
    let from = 0;
    const cut = (): void => {
      if (from < at) pieces.push(bytes.subarray(from, at));
      from = at;
    };
    for (;;) {
      const moved = Math.min(this.#left, bytes.length - at);
      at += moved;
      this.#left -= moved;
      if (this.#left > 0 || at === bytes.length) break;
      if (bytes.length - at < packetHeadBytes) break;
      const { length, sequence } = readHead(bytes, at);
      const start = at + packetHeadBytes;
      const mayBeOurs =
        !this.#goesOn && sequence === firstOfResponse && length > 0 && length <= standInErrorBytesMax;
      if (mayBeOurs && (bytes[start] ?? fromServer.error) === fromServer.error) {
        if (bytes.length - start < length) break;
        const own = this.#inPlaceOf(bytes.subarray(start, start + length));
        if (own !== undefined) {
          cut();
          pieces.push(own.bytes);
          at = start + length;
          from = at;
          // It can be another than that of the server, which got one packet in the place of all that the client sent.
          this.#sequence = readHead(own.bytes, 0).sequence;
          if (!own.isLast) continue;
          this.#isOver = true;
          this.#held = new Uint8Array(0);
          return pieces;
        }
      }
      this.#sequence = sequence;
      this.#goesOn = length === payloadBytesMax;
      this.#left = packetHeadBytes + length;
    }
    cut();
    // A copy: the rest of the chunk need not be kept for it.
    this.#held = bytes.slice(at);
    return pieces;
  }

  /** What is held of a packet at the end. */
  end(): Uint8Array {
    return this.#held;
  }
}
