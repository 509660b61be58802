// Serves HTTP/1.x on every decrypted or plain connection of the streams; sockets are handed in, it never listens.

import type { Duplex } from 'node:stream';
import { Roster } from '../../protocol/roster.ts';
import type { ExchangeParts } from '../exchange/exchange.ts';
import { ClientConnection } from './client-connection.ts';
import type { FrontConnection } from './front-connection.ts';

/** Heads that are late are found so soon; one look goes over all connections. */
const lookIntervalMs = 5_000;

export class HttpFront {
  readonly #parts: ExchangeParts;
  readonly #connections = new Roster<ClientConnection>();
  #isLeaving = false;
  /** One for all connections. */
  readonly #leaves = (): boolean => this.#isLeaving;
  #looking: NodeJS.Timeout | undefined;

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
  }

  /** Serves HTTP/1.x on the socket until it ends. */
  serve(socket: Duplex, connection: FrontConnection): void {
    const one = new ClientConnection(socket, connection, this.#parts);
    one.isLeaving = this.#leaves;
    const place = this.#connections.add(one);
    socket.on('close', () => {
      this.#connections.remove(place);
      if (this.#connections.size === 0) this.#stopLooking();
    });
    const intervalMs = Math.min(lookIntervalMs, this.#parts.limits.headTimeoutMs);
    this.#looking ??= setInterval(() => {
      const nowMs = performance.now();
      for (const each of this.#connections.members) each.look(nowMs);
    }, intervalMs).unref();
  }

  /** From now on each response is the last one on its connection, and says so. */
  drain(): void {
    this.#isLeaving = true;
  }

  /** Ends the connections on which nothing runs. */
  closeIdle(): void {
    for (const one of this.#connections.members) one.closeIdle();
  }

  close(): void {
    this.#stopLooking();
    for (const one of this.#connections.members) one.close();
  }

  #stopLooking(): void {
    clearInterval(this.#looking);
    this.#looking = undefined;
  }
}
