// The end of a client's connection: what was written is taken first, then the client has a moment to end its own side.

import type { Duplex } from 'node:stream';
import type { LinkAbsence } from '../../net/link-absence.ts';
import type { Limits } from '../../protocol/limits.ts';

type EndLimits = Pick<Limits, 'idleTimeoutMs' | 'lingerTimeoutMs'>;

/** Ends our side from its construction on, and takes what still comes. `look` has to be called now and then. */
export class ConnectionEnd {
  readonly #socket: Duplex;
  readonly #limits: EndLimits;
  /** What the client has taken of what was written, in whatever the socket tells; and since when it is that. */
  #mark: number;
  #markMs: number;
  /** Without progress. Who waits for no response loses none, and a TLS connection that broke takes neither refusal nor end. */
  readonly #patienceMs: number;

  readonly #absence: LinkAbsence | undefined;

  /** `isIdle`: no response waits, at most a refusal of ours. */
  constructor(socket: Duplex, limits: EndLimits, isIdle = false, absence?: LinkAbsence) {
    this.#absence = absence;
    this.#socket = socket;
    this.#limits = limits;
    this.#patienceMs = isIdle ? limits.lingerTimeoutMs : limits.idleTimeoutMs;
    socket.end();
    this.#mark = this.#progress;
    this.#markMs = performance.now();
    if (socket.destroyed) return;
    if (socket.writableFinished) this.#linger();
    else socket.once('finish', () => this.#linger());
    socket.resume();
  }

  /** A client that takes nothing of what waits for it is cut off. */
  look(nowMs: number): void {
    if (this.#socket.writableFinished) return;
    const mark = this.#progress;
    if (mark !== this.#mark) {
      this.#mark = mark;
      this.#markMs = nowMs;
    } else if (nowMs - this.#markMs - this.#absentMs() > this.#patienceMs) this.#socket.destroy();
  }

  get #progress(): number {
    const socket = this.#socket;
    // A stream of a tunnel tells what left it; of other sockets what waits becomes less.
    const told: unknown = 'bytesWritten' in socket ? socket.bytesWritten : undefined;
    const written = typeof told === 'number' ? told : 0;
    return written - socket.writableLength;
  }

  #absentMs(): number {
    return this.#absence?.since(this.#markMs) ?? 0;
  }

  #linger(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    const timer = setTimeout(() => socket.destroy(), this.#limits.lingerTimeoutMs);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
  }
}
