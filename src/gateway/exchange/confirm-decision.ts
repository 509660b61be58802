// Between its decision and its way out a request can wait: for a credential, or for a body that is held; a stream for its
// dial. What was decided has to hold when it goes.

import type { AccessRequest, AllowDecision, DenyDecision, Policy, Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';

/** What a decision rested on, beside who asked for what. */
export interface DecisionBasis {
  readonly policy: Policy;
  readonly atMs: number;
}

interface Decided {
  readonly access: AccessRequest;
  readonly decision: AllowDecision;
  /** Absent: the decision is made again whatever happened. */
  readonly basis?: DecisionBasis;
}

/**
 * Decides again, unless the policy is the same one and no time has come at which one of its rules changes.
 * @throws ProxyError policy_denied if the decision is another one now
 */
export function confirmDecision(
  { access, decision, basis }: Decided,
  principal: Principal,
  { policy, clock }: { readonly policy: () => Policy; readonly clock: () => number },
): void {
  const [current, nowMs] = [policy(), clock()];
  const isSame =
    basis?.policy === current && !current.changesBetween(basis.atMs, nowMs, access.destination.host);
  if (isSame) return;
  const now = current.decide(principal, access, nowMs);
  if (now.effect === 'deny') throw denied(now);
  // What it awaits now was not read of this one.
  if (now.awaits === undefined && givenBy(now) === givenBy(decision)) return;
  throw new ProxyError('policy_denied', 'the policy changed while this waited; try again');
}

/** The error of a denial: of a rule, or of a limit that was reached before all rules were asked. */
export function denied({ reason, isTooCostly }: DenyDecision): ProxyError {
  return isTooCostly === true
    ? new ProxyError('head_too_large', reason, { limit: 'decisionStepsMax' })
    : new ProxyError('policy_denied', reason);
}

/** What a request gets by the decision. */
function givenBy(decision: AllowDecision): string {
  const {
    rule,
    handling,
    inject,
    addresses,
    bodies,
    homeWrites,
    continuesTrace,
    showsLists,
    learnsIds,
    llm,
    capture,
    leaks,
    screen,
    rewrite,
    refusesEch,
    trust,
  } = decision;
  return JSON.stringify([
    rule.name,
    handling,
    inject,
    addresses,
    bodies,
    homeWrites,
    continuesTrace,
    showsLists,
    learnsIds,
    llm,
    capture,
    leaks,
    screen,
    rewrite,
    refusesEch,
    trust,
  ]);
}
