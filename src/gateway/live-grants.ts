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
  #reviews = 0;
  #reviewed: { readonly policy: Policy; readonly nowMs: number } | undefined;

  get size(): number {
    return this.#grants.size;
  }

  /** How often the policy changed so far: to be read with a decision, and given with its grant. */
  get reviews(): number {
    return this.#reviews;
  }

  /** Keeps the grant until the returned function is called. One that was decided before the last change is judged again first. */
  add(grant: LiveGrant, decidedAt: number): () => void {
    this.#grants.add(grant);
    if (decidedAt !== this.#reviews && this.#reviewed !== undefined)
      this.#judge(grant, this.#reviewed.policy, this.#reviewed.nowMs);
    return () => {
      this.#grants.delete(grant);
    };
  }

  /** Ends what the policy would not grant any more. Gives how many. */
  review(policy: Policy, nowMs: number): number {
    this.#reviews += 1;
    this.#reviewed = { policy, nowMs };
    let ended = 0;
    for (const grant of this.#grants) ended += this.#judge(grant, policy, nowMs) ? 0 : 1;
    return ended;
  }

  #judge(grant: LiveGrant, policy: Policy, nowMs: number): boolean {
    const decision = policy.decide(grant.principal, grant.access, nowMs);
    if (decision.effect === 'allow' && decision.handling === grant.handling) return true;
    this.#grants.delete(grant);
    grant.end(new ProxyError('policy_denied', 'the policy changed and no longer allows this connection'));
    return false;
  }
}
