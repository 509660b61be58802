// What runs longer than its decision: exchanges, WebSockets, passthrough and raw streams are judged again when the
// policy changes.

import type { AccessRequest, Policy, Principal } from '../policy/decision.ts';
import { ProxyError } from '../protocol/error.ts';

export interface LiveGrant {
  readonly principal: Principal;
  readonly access: AccessRequest;
  /** What the decision said about the bytes; another handling is another grant. */
  readonly handling: 'intercept' | 'passthrough' | 'raw';
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
      if (decision.effect === 'allow' && decision.handling === grant.handling) continue;
      this.#grants.delete(grant);
      ended += 1;
      grant.end(new ProxyError('policy_denied', 'the policy changed and no longer allows this connection'));
    }
    return ended;
  }
}
