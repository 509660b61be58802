// TLS sessions to one origin that can be resumed: the next handshake needs neither the certificate nor its verification. Kept
// by who keeps the connections, so that they are shared no further than these.

import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { defaultLimits } from '../protocol/limits.ts';

/** What a session rests on: nobody looks at the certificates again when it is resumed. */
interface Verification {
  readonly verifiedMs: number;
  /** When the first certificate of the chain expires, by the wall clock. */
  readonly validToMs: number;
}

/** A session, and the verification that all of it rests on. */
export interface ResumableSession extends Verification {
  readonly session: Buffer;
}

export interface SessionClocks {
  /** Never goes back. */
  readonly nowMs: () => number;
  readonly wallMs: () => number;
}

export class TlsSessions {
  readonly #sessions: ResumableSession[] = [];
  readonly #clocks: SessionClocks;

  constructor(clocks: SessionClocks = { nowMs: () => performance.now(), wallMs: () => Date.now() }) {
    this.#clocks = clocks;
  }

  get size(): number {
    return this.#sessions.length;
  }

  /** The newest one, for one handshake: RFC 8446 §C.4 wants none used twice. */
  take(): ResumableSession | undefined {
    const nowMs = this.#clocks.nowMs();
    const wallMs = this.#clocks.wallMs();
    for (let found = this.#sessions.pop(); found !== undefined; found = this.#sessions.pop())
      if (nowMs - found.verifiedMs < defaultLimits.tlsSessionAgeMsMax && wallMs < found.validToMs)
        return found;
    return undefined;
  }

  /** Keeps what the origin gives for later, once it is verified. `resumed`: what was offered to it. */
  collect(socket: TLSSocket, resumed: ResumableSession | undefined): void {
    let early: Buffer[] | undefined = [];
    let verification: Verification = { verifiedMs: 0, validToMs: 0 };
    socket.on('session', (session: Buffer) => {
      if (early === undefined) this.#keep({ session, ...verification });
      else if (early.length < defaultLimits.tlsSessionsPerPoolMax) early.push(session);
    });
    socket.once('secureConnect', () => {
      const held = early ?? [];
      early = undefined;
      verification =
        resumed !== undefined && socket.isSessionReused()
          ? // A resumed session rests on the handshake that it began with.
            { verifiedMs: resumed.verifiedMs, validToMs: resumed.validToMs }
          : {
              verifiedMs: this.#clocks.nowMs(),
              validToMs: endOfChain(socket.getPeerX509Certificate()),
            };
      for (const session of held) this.#keep({ session, ...verification });
    });
  }

  #keep(session: ResumableSession): void {
    this.#sessions.push(session);
    if (this.#sessions.length > defaultLimits.tlsSessionsPerPoolMax) this.#sessions.shift();
  }
}

/** When the first of the certificates that were verified expires; one that cannot be seen has expired. */
function endOfChain(leaf: X509Certificate | undefined): number {
  let endMs = leaf === undefined ? 0 : Infinity;
  let certificate = leaf;
  for (let depth = 0; certificate !== undefined && depth < defaultLimits.originChainDepthMax; depth += 1) {
    endMs = Math.min(endMs, Date.parse(certificate.validTo));
    certificate = certificate.issuerCertificate;
  }
  return Number.isNaN(endMs) ? 0 : endMs;
}
