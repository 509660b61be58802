// Sessions that others made: what the root is judged by, and each policy down to the session that asks. All must allow, at each decision.

import { defaultDenyName } from './compiled-policy.ts';
import type {
  AccessRequest,
  AllowDecision,
  Decision,
  DenyDecision,
  Narrowing,
  NarrowingStep,
  Policy,
  Principal,
  SessionRules,
} from './decision.ts';
import { bothSignings } from './session-signing.ts';
import type { SessionSigning } from './sign-condition.ts';
import { allowWithin, bothOpened } from './within-ceiling.ts';

/** Which policy a rule is of by which a session was narrowed. */
const narrowedName = 'narrowed';
/** In place of default deny, which access that is granted would open. */
const narrowedDenyName = 'narrowed-deny';

/** A session that no other made is judged by `base` alone. */
export class NarrowedPolicy implements Policy {
  readonly #base: Policy;

  constructor(base: Policy) {
    this.#base = base;
  }

  get version(): string {
    return this.#base.version;
  }

  get revokesTokens(): boolean {
    return this.#base.revokesTokens;
  }

  decide(principal: Principal, access: AccessRequest, nowMs: number): Decision {
    const { narrowed } = principal;
    if (narrowed === undefined) return this.#base.decide(principal, access, nowMs);
    let decision = this.#base.decide(rootOf(principal, narrowed), access, nowMs);
    for (const step of narrowed.steps) {
      if (decision.effect === 'deny') return decision;
      decision = narrowedBy(decision, step, step.policy.decide(principal, access, nowMs));
    }
    return decision;
  }

  capturePorts(principal: Principal): readonly number[] {
    const steps = principal.narrowed?.steps ?? [];
    return steps.reduce<readonly number[]>((ports, { policy }) => {
      const own = new Set(policy.capturePorts(principal));
      return ports.filter((port) => own.has(port));
    }, this.#base.capturePorts(principal));
  }

  /** Of the last step, as far as the session asked for it itself; what is above that is told as a bound. */
  rulesFor(principal: Principal, bounds: Parameters<Policy['rulesFor']>[1]): SessionRules {
    const last = principal.narrowed?.steps.at(-1);
    if (last === undefined) return this.#base.rulesFor(principal, bounds);
    return { ...last.policy.rulesFor(principal, bounds), isNarrowed: true };
  }

  blindHosts(principal: Principal): readonly string[] {
    return this.#base.blindHosts(principal);
  }

  sshHosts(principal: Principal): readonly string[] {
    return this.#base.sshHosts(principal);
  }

  /** Policies by which sessions are narrowed give none of their own. */
  injected(principal: Principal): ReadonlySet<string> {
    const { narrowed } = principal;
    return this.#base.injected(narrowed === undefined ? principal : rootOf(principal, narrowed));
  }

  signing(principal: Principal): SessionSigning | undefined {
    const steps = principal.narrowed?.steps ?? [];
    return steps.reduce<SessionSigning | undefined>(
      (own, { policy }) => bothSignings(own, policy.signing(principal)),
      this.#base.signing(principal),
    );
  }

  /** Policies by which sessions are narrowed say nothing of times. */
  changesBetween(...asked: Parameters<Policy['changesBetween']>): boolean {
    return this.#base.changesBetween(...asked);
  }
}

/** The root itself: no rule and no condition tells it from the sessions below. */
function rootOf({ id, claims, posture }: Principal, { rootId }: Narrowing): Principal {
  return { id, sessionId: rootId, claims, posture };
}

function narrowedBy(above: AllowDecision, { sessionId }: NarrowingStep, below: Decision): Decision {
  if (below.effect === 'deny') return narrowedDenial(below, sessionId);
  const [own, left] = bothOpened(above, below);
  if (own.handling !== left.handling) return handlingDenial(own, left, sessionId);
  const { inject, addresses, homeWrites, logIn, continuesTrace, trust, exit, scrub } = own;
  // What only the rules of operators can give is theirs to bound: it goes with what both allow.
  const lent = {
    ...left,
    inject,
    addresses,
    ...some({ homeWrites, logIn, continuesTrace, trust, exit, scrub }),
  };
  const both = allowWithin(own, lent);
  if (both.effect === 'deny') return both;
  const { bodyBytes: _, ...limits } = left.limits;
  const { rule, budget } = left;
  const counted = { sessionId, rule, limits, ...(budget === undefined ? {} : { budget }) };
  return { ...both, narrowed: [...(own.narrowed ?? []), counted] };
}

function some<Values extends Readonly<Record<string, unknown>>>(values: Values): Partial<Values> {
  // Each entry is one of `values`.
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Partial<Values>;
}

function narrowedDenial(denial: DenyDecision, sessionId: string): DenyDecision {
  const { name } = denial.rule;
  const rule = {
    ...denial.rule,
    policy: narrowedName,
    name: name === defaultDenyName ? narrowedDenyName : name,
  };
  const why =
    name === defaultDenyName
      ? 'No rule of the policy that this session was narrowed by allows it.'
      : denial.reason;
  return {
    ...denial,
    rule,
    reason: `${why} Whoever started this session gave it less than they have.`,
    operatorReason: `The policy that session ${sessionId} was narrowed by: ${denial.operatorReason}`,
  };
}

function handlingDenial(own: AllowDecision, left: AllowDecision, sessionId: string): DenyDecision {
  const { rule } = left;
  const why = `the bytes would be handled as ${own.handling}, and the policy that the session was narrowed by says ${left.handling}`;
  return {
    effect: 'deny',
    rule: { ...rule, policy: narrowedName },
    reason: `It is refused because ${why}; both have to say the same.`,
    operatorReason: `The policy that session ${sessionId} was narrowed by allows it by its rule ${rule.name}, but ${why}.`,
  };
}
