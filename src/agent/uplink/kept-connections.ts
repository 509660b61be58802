// Connections to the gateway that wait for their next request: a start costs two handshakes instead of five.

import { defaultLimits } from '../../protocol/limits.ts';
import type { Socket } from 'node:net';

/** Verified connections without a request. `Disposable`: ends them. */
export class KeptConnections implements Disposable {
  readonly #idle = new Set<Idle>();
  #isOpen = true;

  /** Dials for a request to come. A fault is told to the request that takes the connection. */
  warm(dial: () => Promise<Socket>): void {
    if (!this.#isOpen || this.#idle.size >= defaultLimits.keptConnectionsMax) return;
    const socket = dial();
    socket.then(
      (ready) => {
        if (idle.taken) return;
        if (this.#isOpen) this.#watch(idle, ready);
        else ready.destroy();
      },
      () => {},
    );
    const idle: Idle = { socket, taken: false };
    this.#idle.add(idle);
  }

  /** A connection that nobody else has, or undefined if there is none. */
  take(): Promise<Socket> | undefined {
    const [idle] = this.#idle;
    if (idle === undefined) return undefined;
    this.#idle.delete(idle);
    idle.taken = true;
    idle.unwatch?.();
    return idle.socket;
  }

  /** Keeps a connection whose response was read whole, or ends it. */
  keep(socket: Socket): void {
    if (
      !this.#isOpen ||
      this.#idle.size >= defaultLimits.keptConnectionsMax ||
      socket.destroyed ||
      !socket.writable
    ) {
      // A late error after the response concerns nobody.
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    const idle: Idle = { socket: Promise.resolve(socket), taken: false };
    this.#idle.add(idle);
    this.#watch(idle, socket);
  }

  [Symbol.dispose](): void {
    this.#isOpen = false;
    for (const idle of this.#idle) idle.end?.();
    this.#idle.clear();
  }

  /** The end of an idle connection, and any byte on it, means that it is of no use. */
  #watch(idle: Idle, socket: Socket): void {
    const end = (): void => {
      idle.unwatch?.();
      this.#idle.delete(idle);
      socket.on('error', () => {});
      socket.destroy();
    };
    const timer = setTimeout(end, defaultLimits.keptConnectionIdleMs);
    idle.end = end;
    idle.unwatch = () => {
      clearTimeout(timer);
      socket.off('data', end).off('end', end).off('error', end).off('close', end);
    };
    socket.on('data', end).on('end', end).on('error', end).on('close', end);
  }
}

interface Idle {
  readonly socket: Promise<Socket>;
  taken: boolean;
  end?: () => void;
  unwatch?: () => void;
}
