// Says which gateways cannot be reached though the store has them as serving, once each: one that is killed or replaced is no news.

import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { KnownPeer } from './peer-directory.ts';

/** Whoever is gone is in no list by then. */
const passingMs = defaultLimits.gatewayLeaseMs + defaultLimits.gatewayNoteMs;

export class UnreachedPeers {
  readonly #onFault: (error: ProxyError) => void;
  readonly #ticks: () => number;
  /** Since when, and whether it was said. */
  readonly #since = new Map<string, { readonly ms: number; isSaid: boolean }>();

  constructor(onFault: (error: ProxyError) => void, ticks: () => number) {
    this.#onFault = onFault;
    this.#ticks = ticks;
  }

  /** Others serve no longer. */
  keep(current: readonly KnownPeer[]): void {
    const names = new Set(current.map(({ incarnation }) => incarnation));
    for (const name of this.#since.keys()) if (!names.has(name)) this.#since.delete(name);
  }

  reached({ incarnation }: KnownPeer): void {
    this.#since.delete(incarnation);
  }

  failed({ incarnation, address }: KnownPeer, error: unknown): void {
    const nowMs = this.#ticks();
    const since = this.#since.get(incarnation) ?? { ms: nowMs, isSaid: false };
    this.#since.set(incarnation, since);
    if (since.isSaid || nowMs - since.ms <= passingMs) return;
    since.isSaid = true;
    const reason = faultReason(error instanceof ProxyError ? (error.cause ?? error) : error);
    this.#onFault(
      new ProxyError(
        'peer_unreachable',
        `the gateway ${incarnation} cannot be reached by this one at ${address}, though it serves: ${reason}; compare its peers.host and peers.listen, and what stands between them`,
        { cause: error },
      ),
    );
  }
}
