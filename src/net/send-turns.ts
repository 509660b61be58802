// Which stream of a tunnel sends next: what does not fit on the link waits, longest waiting first.

import type { Limits } from '../protocol/limits.ts';
import type { TunnelConnection } from '../protocol/tunnel-connection.ts';
import type { TunnelStream } from './tunnel-stream.ts';

export class SendTurns {
  readonly #limits: Limits;
  readonly #connection: () => Pick<TunnelConnection, 'outputBytes' | 'linkCreditBytes'>;
  /** Streams that wait for room on the socket, for credit of the connection, or for what is kept to be acknowledged. */
  readonly #waiting = new Set<TunnelStream>();

  constructor(limits: Limits, connection: () => Pick<TunnelConnection, 'outputBytes' | 'linkCreditBytes'>) {
    this.#limits = limits;
    this.#connection = connection;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Sends now, or when it is this stream's turn. */
  request(stream: TunnelStream): void {
    const room = this.#room;
    if (this.#waiting.size > 0 || room <= 0) this.#waiting.add(stream);
    else if (stream.sendPending(room) === 'more') this.#waiting.add(stream);
  }

  /** In turn, a frame each, so that one bulk stream does not hold up the others. */
  send(): void {
    for (const stream of this.#waiting) {
      const room = this.#room;
      if (room <= 0) return;
      this.#waiting.delete(stream);
      // Added again it comes last, and this loop reaches it there.
      if (stream.sendPending(Math.min(room, this.#limits.frameBytesMax)) === 'more')
        this.#waiting.add(stream);
    }
  }

  leave(stream: TunnelStream): void {
    this.#waiting.delete(stream);
  }

  /** Bytes that may be taken from streams now. */
  get #room(): number {
    const { outputBytes, linkCreditBytes } = this.#connection();
    return Math.min(this.#limits.writeBufferBytesMax - outputBytes, linkCreditBytes);
  }
}
