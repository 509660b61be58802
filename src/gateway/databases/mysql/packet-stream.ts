// Packets of one side before a session has begun: each is held whole, and all of them together are bounded.

import type { ExactReader } from '../exact-reader.ts';
import { packetHeadBytes, payloadBytesMax, readHead } from './packet.ts';

export type TakenPacket =
  | { readonly kind: 'packet'; readonly payload: Buffer; readonly sequence: number }
  | { readonly kind: 'ended' }
  /** Its number is not the next, it has nothing in it, or it goes on in another one. */
  | { readonly kind: 'malformed' }
  | { readonly kind: 'too-long' };

export class PacketStream {
  #leftBytes: number;
  #sequence: number;

  /** @param sequence of the first that comes */
  constructor(bytesMax: number, sequence: number) {
    this.#leftBytes = bytesMax;
    this.#sequence = sequence;
  }

  /** Of the next packet, whichever side sends it. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The other side has sent one. */
  sent(): void {
    this.#sequence = (this.#sequence + 1) & 0xff;
  }

  /** @param mayBeEmpty as the proof of who has no password @throws ProxyError as ExactReader */
  async take(reader: ExactReader, { mayBeEmpty = false } = {}): Promise<TakenPacket> {
    const head = await reader.take(packetHeadBytes);
    if (head === undefined) return { kind: 'ended' };
    const { length, sequence } = readHead(head, 0);
    if (sequence !== this.#sequence || (length === 0 && !mayBeEmpty) || length === payloadBytesMax)
      return { kind: 'malformed' };
    this.#leftBytes -= packetHeadBytes + length;
    if (this.#leftBytes < 0) return { kind: 'too-long' };
    const payload = await reader.take(length);
    if (payload === undefined) return { kind: 'ended' };
    this.sent();
    return { kind: 'packet', payload, sequence };
  }
}
