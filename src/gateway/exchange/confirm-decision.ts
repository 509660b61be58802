// Between its decision and its way out a request can wait: for a credential, or for a body that is held; a stream for its
// dial. What was decided has to hold when it goes.

import type { AccessRequest, AllowDecision, DenyDecision, Policy, Principal } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Approval } from './approval.ts';

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

/** What a person allowed once is used up by the request that goes out. @throws ProxyError as confirmDecision, question_open */
export async function confirmAtDispatch(
  { approval, ...decided }: Decided & { readonly approval?: Approval | undefined },
  principal: Principal,
  parts: Parameters<typeof confirmDecision>[2],
): Promise<void> {
  await approval?.use();
  confirmDecision(decided, principal, parts);
}

/** The error of a denial: of a rule, or of a limit that was reached before all rules were asked. */
export function denied({ reason, isTooCostly }: DenyDecision): ProxyError {
  return isTooCostly === true
    ? new ProxyError('head_too_large', reason, { limit: 'decisionStepsMax' })
    : new ProxyError('policy_denied', reason);
}

function givenBy(decision: AllowDecision): string {
  return `${JSON.stringify(decision.rule.name)} ${givenByAny(decision)}`;
}

/** Whether a request that was changed after its decision gets the same by what is decided now: the rule, all that it gives, and what it counts. */
export function givesTheSame(again: AllowDecision, decision: AllowDecision): boolean {
  return (
    again.awaits === undefined &&
    again.rule.name === decision.rule.name &&
    again.rule.policy === decision.rule.policy &&
    givenByAny(again) === givenByAny(decision) &&
    countedBy(again) === countedBy(decision)
  );
}

function countedBy({ limits, budget, narrowed }: AllowDecision): string {
  return JSON.stringify([limits, budget, narrowed]);
}

/** What a request gets by the decision, whichever rule made it. */
export function givenByAny(decision: AllowDecision): string {
  const {
    handling,
    end,
    inject,
    addresses,
    bodies,
    homeWrites,
    logIn,
    continuesTrace,
    showsLists,
    readsOperations,
    learnsIds,
    llm,
    capture,
    asks,
    leaks,
    screen,
    deciders,
    rewrite,
    refusesEch,
    trust,
    exit,
    dns,
  } = decision;
  return JSON.stringify([
    handling,
    end,
    inject,
    addresses,
    bodies,
    homeWrites,
    logIn,
    continuesTrace,
    showsLists,
    readsOperations,
    learnsIds,
    llm,
    capture,
    asks,
    leaks,
    screen,
    deciders,
    rewrite,
    refusesEch,
    trust,
    exit,
    dns,
  ]);
}
