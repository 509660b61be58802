// Connections of a port, handed to the worker that has fewest. Strangers among them are counted here, over all workers.

import type { Socket } from 'node:net';
import { defaultLimits } from '../../protocol/limits.ts';
import { plainAddress } from '../admission/networks.ts';
import type { StrangerConnections, StrangerLimit } from '../admission/stranger-connections.ts';
import { UntakenConnections } from './untaken-connections.ts';

/** The port for agents, or the one for clients without. */
export type HandedPort = 'public' | 'proxy';

export type HandedLimit = StrangerLimit | 'connectionsMax';

export interface HandedConnectionsOptions {
  readonly port: HandedPort;
  readonly strangers: StrangerConnections;
  /** At a time, over all workers. */
  readonly connectionsMax?: number;
  /** What a connection is called; no other of the gateway, at whichever port, is called so. */
  readonly newNumber: () => number;
  /** How long a connection waits for a worker that serves, and then until it takes the connection. */
  readonly waitMs: number;
  readonly onLimit: (limit: HandedLimit) => void;
}

/** A worker that can take connections. */
export interface Taker {
  readonly number: number;
  /** The socket stays the caller's, who ends it when the worker has one of its own. */
  take(connection: number, socket: Socket, port: HandedPort): void;
}

export class HandedConnections {
  readonly #options: HandedConnectionsOptions;
  /** Connections by the worker that has them. */
  readonly #taken = new Map<number, Set<number>>();
  readonly #waiting = new Map<number, { readonly socket: Socket; readonly timer: NodeJS.Timeout }>();
  readonly #untaken: UntakenConnections;

  constructor(options: HandedConnectionsOptions) {
    this.#options = options;
    const { strangers, waitMs } = options;
    const onLate = (connection: number): void => strangers.release(String(connection));
    this.#untaken = new UntakenConnections({ waitMs, onLate });
  }

  /** Hands it to one of these. Where there is none it waits for one. */
  hand(socket: Socket, takers: readonly Taker[]): void {
    // Reset before anybody looked at it, or while it is on its way.
    socket.on('error', () => socket.destroy());
    const connection = this.#options.newNumber();
    const limit = this.#admit(connection, plainAddress(socket.remoteAddress ?? ''));
    if (limit !== undefined) {
      this.#options.onLimit(limit);
      return void socket.destroy();
    }
    const taker = this.#chosen(takers);
    if (taker === undefined) this.#wait(connection, socket);
    else this.#give(connection, socket, taker);
  }

  #admit(connection: number, address: string): HandedLimit | undefined {
    const { strangers, connectionsMax = Infinity } = this.#options;
    const taken = [...this.#taken.values()].reduce((sum, { size }) => sum + size, this.#waiting.size);
    return taken >= connectionsMax ? 'connectionsMax' : strangers.admit(String(connection), address);
  }

  /** One of these serves now, or takes again: those that wait go to it. */
  handWaiting(takers: readonly Taker[]): void {
    for (const [connection, { socket, timer }] of this.#waiting) {
      const taker = this.#chosen(takers);
      if (taker === undefined) return;
      clearTimeout(timer);
      this.#waiting.delete(connection);
      this.#give(connection, socket, taker);
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

  /** The worker has a socket of its own of it. */
  taken(worker: number, connection: number): void {
    this.#untaken.taken(worker, connection);
  }

  /** It showed a session. */
  shown(worker: number, connection: number): void {
    if (this.#taken.get(worker)?.has(connection) === true)
      this.#options.strangers.release(String(connection));
  }

  closed(worker: number, connection: number): void {
    this.#untaken.taken(worker, connection);
    if (this.#taken.get(worker)?.delete(connection) === true)
      this.#options.strangers.release(String(connection));
  }

  /** The worker is gone, and its connections with it. */
  leave(worker: number): void {
    this.#untaken.leave(worker);
    for (const connection of this.#of(worker)) this.#options.strangers.release(String(connection));
    this.#taken.delete(worker);
  }

  /** The one that has fewest, of those that take what they are given. */
  #chosen(takers: readonly Taker[]): Taker | undefined {
    const { workerUntakenMax } = defaultLimits;
    const [taker] = takers
      .filter(({ number }) => this.#untaken.countOf(number) < workerUntakenMax)
      .toSorted((a, b) => this.loadOf(a.number) - this.loadOf(b.number));
    return taker;
  }

  #give(connection: number, socket: Socket, taker: Taker): void {
    if (socket.destroyed) return this.#options.strangers.release(String(connection));
    this.#of(taker.number).add(connection);
    this.#untaken.add(taker.number, connection, socket);
    taker.take(connection, socket, this.#options.port);
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
