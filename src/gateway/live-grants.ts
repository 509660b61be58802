// What runs longer than its decision: exchanges, WebSockets, passthrough and raw streams are judged again when the
// policy changes.

import type { AccessRequest, AllowDecision, Decision, Policy, Principal } from '../policy/decision.ts';
import { networkCovers } from '../policy/network.ts';
import { ProxyError } from '../protocol/error.ts';

export interface LiveGrant {
  readonly principal: Principal;
  readonly access: AccessRequest;
  /** By which it runs, and with what it gave. */
  readonly decision: AllowDecision;
  end(error: ProxyError): void;
}

/** Every grant that outlives its decision. As many as there are streams, so the limits of those bound it. */
export class LiveGrants {
  readonly #grants = new Set<LiveGrant>();

  get size(): number {
    return this.#grants.size;
  }

  /** Keeps the grant until the returned function is called. */
  add(grant: LiveGrant): () => void {
    this.#grants.add(grant);
    return () => {
      this.#grants.delete(grant);
    };
  }

  /** Ends what the policy would not grant any more. Gives how many. */
  review(policy: Policy, nowMs: number): number {
    let ended = 0;
    for (const grant of this.#grants) {
      const decision = policy.decide(grant.principal, grant.access, nowMs);
      if (givesStill(decision, grant.decision)) continue;
      this.#grants.delete(grant);
      ended += 1;
      grant.end(
        new ProxyError(
          'policy_denied',
          'the policy changed, or a rule or grant ran out: this connection is no longer allowed',
        ),
      );
    }
    return ended;
  }
}

/**
 * Whether what runs could begin anew with all that it has: bytes handled in the same way, its credentials, the private
 * networks that it may be connected to, the certificates that may have verified its origin.
 */
function givesStill(now: Decision, given: AllowDecision): boolean {
  if (now.effect === 'deny' || now.handling !== given.handling) return false;
  const isInjected = new Set(now.inject.map(({ credential }) => credential));
  const isTrusted = new Set(now.trust);
  return (
    given.inject.every(({ credential }) => isInjected.has(credential)) &&
    given.addresses.every((inner) => now.addresses.some((outer) => networkCovers(outer, inner))) &&
    (given.trust ?? []).every((name) => isTrusted.has(name))
  );
}
