// Connections of the public port, handed to the worker that has fewest. Strangers among them are counted here, over all workers.

import type { Socket } from 'node:net';
import { plainAddress } from '../admission/networks.ts';
import type { StrangerConnections, StrangerLimit } from '../admission/stranger-connections.ts';

export interface HandedConnectionsOptions {
  readonly strangers: StrangerConnections;
  /** How long a connection waits for a worker that serves. */
  readonly waitMs: number;
  readonly onLimit: (limit: StrangerLimit) => void;
}

/** A worker that can take connections. */
export interface Taker {
  readonly number: number;
  take(connection: number, socket: Socket): void;
}

export class HandedConnections {
  readonly #options: HandedConnectionsOptions;
  /** Connections by the worker that has them. */
  readonly #taken = new Map<number, Set<number>>();
  readonly #waiting = new Map<number, { readonly socket: Socket; readonly timer: NodeJS.Timeout }>();
  #count = 0;

  constructor(options: HandedConnectionsOptions) {
    this.#options = options;
  }

  /** Hands it to one of these. Where there is none it waits for one. */
  hand(socket: Socket, takers: readonly Taker[]): void {
    // Reset before anybody looked at it, or while it is on its way.
    socket.on('error', () => socket.destroy());
    const connection = (this.#count += 1);
    const address = plainAddress(socket.remoteAddress ?? '');
    const limit = this.#options.strangers.admit(String(connection), address);
    if (limit !== undefined) {
      this.#options.onLimit(limit);
      return void socket.destroy();
    }
    if (takers.length === 0) this.#wait(connection, socket);
    else this.#give(connection, socket, takers);
  }

  /** One of these serves now: those that wait go to it. */
  handWaiting(takers: readonly Taker[]): void {
    for (const [connection, { socket, timer }] of this.#waiting) {
      clearTimeout(timer);
      this.#waiting.delete(connection);
      this.#give(connection, socket, takers);
    }
  }

  /** Cuts those off that wait. */
  close(): void {
    for (const connection of this.#waiting.keys()) this.#giveUp(connection);
  }

  /** Connections that a worker has. */
  loadOf(worker: number): number {
    return this.#taken.get(worker)?.size ?? 0;
  }

  /** It is from elsewhere, as a trusted proxy says. The limit by which it is not taken. */
  readmit(worker: number, connection: number, address: string): StrangerLimit | undefined {
    // One that is gone meanwhile counts no more.
    if (this.#taken.get(worker)?.has(connection) !== true) return undefined;
    return this.#options.strangers.readmit(String(connection), address);
  }

  /** It showed a session. */
  shown(worker: number, connection: number): void {
    if (this.#taken.get(worker)?.has(connection) === true)
      this.#options.strangers.release(String(connection));
  }

  closed(worker: number, connection: number): void {
    if (this.#taken.get(worker)?.delete(connection) === true)
      this.#options.strangers.release(String(connection));
  }

  /** The worker is gone, and its connections with it. */
  leave(worker: number): void {
    for (const connection of this.#of(worker)) this.#options.strangers.release(String(connection));
    this.#taken.delete(worker);
  }

  #give(connection: number, socket: Socket, takers: readonly Taker[]): void {
    const [taker] = takers.toSorted((a, b) => this.loadOf(a.number) - this.loadOf(b.number));
    if (taker === undefined || socket.destroyed) {
      socket.destroy();
      return this.#options.strangers.release(String(connection));
    }
    this.#of(taker.number).add(connection);
    taker.take(connection, socket);
  }

  #wait(connection: number, socket: Socket): void {
    const timer = setTimeout(() => this.#giveUp(connection), this.#options.waitMs);
    this.#waiting.set(connection, { socket, timer });
  }

  #giveUp(connection: number): void {
    const waiting = this.#waiting.get(connection);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(connection);
    waiting.socket.destroy();
    this.#options.strangers.release(String(connection));
  }

  #of(worker: number): Set<number> {
    const found = this.#taken.get(worker);
    if (found !== undefined) return found;
    const made = new Set<number>();
    this.#taken.set(worker, made);
    return made;
  }
}
