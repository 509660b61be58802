// What runs longer than its decision: exchanges, WebSockets, passthrough and raw streams are judged again when the
// policy changes.

import type { AccessRequest, AllowDecision, Decision, Policy, Principal } from '../../policy/decision.ts';
import { decidersStill } from '../../policy/decide-rule.ts';
import { networkCovers } from '../../policy/network.ts';
import { ProxyError } from '../../protocol/error.ts';

export interface LiveGrant {
  readonly principal: Principal;
  readonly access: AccessRequest;
  /** By which it runs, and with what it gave. */
  readonly decision: AllowDecision;
  /** Of the policy by which its parts were judged, one by one, and are not kept: under another policy they begin anew. */
  readonly partsUnder?: string;
  end(error: ProxyError): void;
}

/** A workload can have thousands of grants that take long to judge: everybody else gets the thread between portions. */
const portionMs = 5;

/** Every grant that outlives its decision. As many as there are streams, so the limits of those bound it. */
export class LiveGrants {
  readonly #grants = new Set<LiveGrant>();
  readonly #nowMs: () => number;
  /** What is left to judge; a later review takes its place. */
  #review:
    | { readonly policy: Policy; readonly nowMs: number; readonly left: Iterator<LiveGrant> }
    | undefined;

  constructor(nowMs = (): number => performance.now()) {
    this.#nowMs = nowMs;
  }

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

  /** Ends what the policy would not grant any more: at once, or in the next turns of the event loop if there is much of it. */
  review(policy: Policy, nowMs: number): void {
    const earlier = this.#review;
    // What the earlier one did not get to comes first, or frequent reviews would never get there.
    const left = new Set([...Iterator.from(earlier?.left ?? []), ...this.#grants]).values();
    this.#review = { policy, nowMs, left };
    if (earlier === undefined) this.#judgePortion();
  }

  #judgePortion(): void {
    const review = this.#review;
    if (review === undefined) return;
    const untilMs = this.#nowMs() + portionMs;
    for (let next = review.left.next(); next.done !== true; next = review.left.next()) {
      if (this.#grants.has(next.value)) this.#judge(next.value, review.policy, review.nowMs);
      // Ending one can begin another review.
      if (this.#review !== review || this.#nowMs() >= untilMs) {
        setImmediate(() => this.#judgePortion());
        return;
      }
    }
    this.#review = undefined;
  }

  #judge(grant: LiveGrant, policy: Policy, nowMs: number): void {
    const decision = policy.decide(grant.principal, grant.access, nowMs);
    const isOfPolicy = grant.partsUnder === undefined || grant.partsUnder === policy.version;
    if (isOfPolicy && givesStill(decision, grant.decision)) return;
    this.#grants.delete(grant);
    grant.end(
      new ProxyError(
        'policy_denied',
        'the policy changed, or a rule or grant ran out: this connection is no longer allowed',
      ),
    );
  }
}

/**
 * Whether what runs could begin anew with all that it has: bytes handled in the same way, its credentials and what those of the home
 * serve, the private networks that it may be connected to, its way out, the certificates that may have verified its origin; and whoever has to
 * allow it was asked.
 */
function givesStill(now: Decision, given: AllowDecision): boolean {
  // What it awaits was not read of what runs, and may be on its way.
  if (now.effect === 'deny' || now.awaits !== undefined || now.handling !== given.handling) return false;
  // Of a protocol that is ended here, all that its session began with.
  if (JSON.stringify(now.end) !== JSON.stringify(given.end)) return false;
  // A rule reads operations now of which nobody read any.
  if (now.readsOperations === true && given.readsOperations !== true) return false;
  // Nobody was asked about it.
  if (now.asks !== undefined && given.asks === undefined) return false;
  const isInjected = new Set(now.inject.map(({ credential }) => credential));
  const isTrusted = new Set(now.trust);
  return (
    given.inject.every(({ credential }) => isInjected.has(credential)) &&
    (given.homeWrites !== true || now.homeWrites === true) &&
    JSON.stringify(now.logIn) === JSON.stringify(given.logIn) &&
    given.addresses.every((inner) => now.addresses.some((outer) => networkCovers(outer, inner))) &&
    now.exit === given.exit &&
    JSON.stringify(now.dns) === JSON.stringify(given.dns) &&
    (given.trust ?? []).every((name) => isTrusted.has(name)) &&
    decidersStill(now.deciders, given.deciders)
  );
}
