// TLS sessions to one origin that can be resumed: the next handshake needs neither the certificate nor its verification. Kept
// by who keeps the connections, so that they are shared no further than these.

import type { TLSSocket } from 'node:tls';
import { defaultLimits } from '../protocol/limits.ts';

/** A session, and when the certificate was verified that all of it rests on. */
export interface ResumableSession {
  readonly session: Buffer;
  readonly verifiedMs: number;
}

export class TlsSessions {
  readonly #sessions: ResumableSession[] = [];
  readonly #nowMs: () => number;

  /** @param nowMs of a clock that never goes back */
  constructor(nowMs = (): number => performance.now()) {
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#sessions.length;
  }

  /** The newest one, for one handshake: RFC 8446 §C.4 wants none used twice. */
  take(nowMs = this.#nowMs()): ResumableSession | undefined {
    for (let found = this.#sessions.pop(); found !== undefined; found = this.#sessions.pop())
      if (nowMs - found.verifiedMs < defaultLimits.tlsSessionAgeMsMax) return found;
    return undefined;
  }

  /** Keeps what the origin gives for later, once it is verified. `resumed`: what was offered to it. */
  collect(socket: TLSSocket, resumed: ResumableSession | undefined): void {
    let early: Buffer[] | undefined = [];
    let verifiedMs = 0;
    socket.on('session', (session: Buffer) => {
      if (early === undefined) this.#keep({ session, verifiedMs });
      else if (early.length < defaultLimits.tlsSessionsPerPoolMax) early.push(session);
    });
    socket.once('secureConnect', () => {
      const held = early ?? [];
      early = undefined;
      // A resumed session rests on the handshake that it began with.
      verifiedMs = resumed !== undefined && socket.isSessionReused() ? resumed.verifiedMs : this.#nowMs();
      for (const session of held) this.#keep({ session, verifiedMs });
    });
  }

  #keep(session: ResumableSession): void {
    this.#sessions.push(session);
    if (this.#sessions.length > defaultLimits.tlsSessionsPerPoolMax) this.#sessions.shift();
  }
}
