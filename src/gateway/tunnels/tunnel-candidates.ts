// The connections that have not shown yet whose they are.

import { setTimeout as wait } from 'node:timers/promises';
import type { ProxyError } from '../../protocol/error.ts';
import { TunnelCandidate, type TunnelCandidateOptions } from './tunnel-candidate.ts';
import { tunnelLimit } from './tunnel-refusals.ts';

export class TunnelCandidates<Tunnel extends { drain(deadlineMs: number): Promise<void> }> {
  readonly #candidates = new Set<TunnelCandidate<Tunnel>>();

  /** Throws limit_exceeded for a session with as many of them as it may have tunnels: each lives for `handshakeTimeoutMs` at most. */
  checkCount(sessionId: string, tunnelsPerSessionMax: number): void {
    const own = [...this.#candidates].filter((candidate) => candidate.sessionId === sessionId);
    if (own.length >= tunnelsPerSessionMax) throw tunnelLimit(tunnelsPerSessionMax);
  }

  add(options: TunnelCandidateOptions<Tunnel>): void {
    const candidate = new TunnelCandidate(options);
    this.#candidates.add(candidate);
    void candidate.tunnel.then(() => this.#candidates.delete(candidate));
  }

  /** What those that are here become is drained as other tunnels are: their agents may have sent more already. */
  async drain(leftMs: () => number): Promise<void> {
    const late = wait(leftMs(), undefined, { ref: false });
    const drained = [...this.#candidates].map(async ({ tunnel }) => (await tunnel)?.drain(leftMs()));
    await Promise.race([Promise.all(drained), late]);
  }

  /** Ends those of one session, or all, and tells their agents why. */
  refuse(error: ProxyError, sessionId?: string): void {
    for (const candidate of this.#candidates)
      if (sessionId === undefined || candidate.sessionId === sessionId) candidate.refuse(error);
  }

  destroy(): void {
    for (const candidate of this.#candidates) candidate.destroy();
  }
}
