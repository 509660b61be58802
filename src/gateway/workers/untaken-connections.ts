// Connections on their way to a worker. This process keeps its own descriptor of each until the worker says that it has it: one that hangs
// or dies never does, and then this one tells the client.

import type { Socket } from 'node:net';

export interface UntakenConnectionsOptions {
  /** How long a worker has to take one. */
  readonly waitMs: number;
  /** It was cut off. The worker may still take it, and says then that it ended. */
  readonly onLate: (connection: number) => void;
}

interface Untaken {
  readonly socket: Socket;
  readonly timer: NodeJS.Timeout;
}

export class UntakenConnections {
  readonly #options: UntakenConnectionsOptions;
  /** By worker. Those that were cut off stay: until the worker has them, they wait on the way to it. */
  readonly #untaken = new Map<number, Map<number, Untaken>>();

  constructor(options: UntakenConnectionsOptions) {
    this.#options = options;
  }

  /** How many a worker has yet to take. */
  countOf(worker: number): number {
    return this.#untaken.get(worker)?.size ?? 0;
  }

  add(worker: number, connection: number, socket: Socket): void {
    const timer = setTimeout(() => {
      // By a FIN: the worker may have a descriptor on its way, and where it hangs nobody reads that either.
      socket.destroySoon();
      this.#options.onLate(connection);
    }, this.#options.waitMs);
    const own = this.#untaken.get(worker) ?? new Map<number, Untaken>();
    own.set(connection, { socket, timer });
    this.#untaken.set(worker, own);
  }

  /** The worker has it, or had nothing of it: what this process holds of it goes. */
  taken(worker: number, connection: number): void {
    const found = this.#untaken.get(worker)?.get(connection);
    if (found === undefined) return;
    this.#untaken.get(worker)?.delete(connection);
    letGo(found);
  }

  /** The worker is gone: what it did not take, nobody will. */
  leave(worker: number): void {
    for (const one of this.#untaken.get(worker)?.values() ?? []) letGo(one);
    this.#untaken.delete(worker);
  }
}

function letGo({ socket, timer }: Untaken): void {
  clearTimeout(timer);
  socket.destroy();
}
