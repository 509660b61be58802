// Several policies as one: each session is judged by the one that its claims bind it to, and by the ceiling above all of them. Both
// must allow, at each decision.

import { type ClaimSelector, selects } from './claim-selector.ts';
import type { CompiledPolicy } from './compiled-policy.ts';
import type { AccessRequest, Decision, DenyDecision, Policy, Principal, RuleReference } from './decision.ts';
import { describeAccess } from './denial.ts';
import { bothSignings } from './session-signing.ts';
import type { SessionSigning } from './sign-condition.ts';
import { allowWithin, bothAwait, withoutAwaits } from './within-ceiling.ts';
import { defaultDenyName } from './compiled-policy.ts';

/** What bounds all others: it is asked for every session, and allows nothing by itself. */
export const ceilingName = 'ceiling';
/** What sessions are judged by to which no other policy is bound. */
export const mainName = 'main';

/** Rules behind denials that no written rule made. None is `default-deny`, so no grant opens them. */
const ceilingDenyName = 'ceiling-deny';
const unboundName = 'no-policy';
const ambiguousName = 'two-policies';
const unreadName = 'unread-policy';

export interface NamedPolicy {
  readonly name: string;
  /** Absent: every session. */
  readonly binding?: ClaimSelector | undefined;
  readonly policy: CompiledPolicy;
}

/** Published, and nothing of it could be read, or not since it is for these sessions. */
export interface UnreadPolicy {
  readonly name: string;
  readonly binding?: ClaimSelector | undefined;
}

export class BoundPolicies implements Policy {
  readonly version: string;
  readonly policies: readonly NamedPolicy[];
  readonly #unread: readonly UnreadPolicy[];
  readonly #ceiling: NamedPolicy | undefined;
  readonly #main: NamedPolicy | undefined;
  readonly #bound: readonly NamedPolicy[];

  /** `unread` deny whom they are for: no session falls back to a wider policy, or to no ceiling. */
  constructor(version: string, policies: readonly NamedPolicy[], unread: readonly UnreadPolicy[] = []) {
    this.version = version;
    this.policies = policies;
    this.#unread = unread;
    this.#ceiling = policies.find(({ name }) => name === ceilingName);
    this.#main = policies.find(({ name }) => name === mainName);
    this.#bound = policies.filter(({ name }) => name !== ceilingName && name !== mainName);
  }

  get revokesTokens(): boolean {
    return this.policies.some(({ policy }) => policy.revokesTokens);
  }

  decide(principal: Principal, access: AccessRequest, nowMs: number): Decision {
    const own = this.#ownOf(principal);
    if (!('policy' in own)) return own.denial(access);
    const bound = this.#ceiling?.policy.decide(principal, access, nowMs);
    // First: what it denies is open to no grant.
    if (bound?.effect === 'deny') return ceilingDenial(bound);
    const decision = named(own, own.policy.decide(principal, access, nowMs));
    if (bound === undefined) return decision;
    if (decision.effect === 'allow') return allowWithin(decision, by(ceilingName, bound));
    return decision.rule.name === defaultDenyName
      ? { ...withoutAwaits(decision), within: by(ceilingName, bound), ...bothAwait(decision, bound) }
      : decision;
  }

  /** Those that are asked for this principal, the ceiling first. */
  policiesFor(principal: Principal): readonly NamedPolicy[] {
    const own = this.#ownOf(principal);
    return [this.#ceiling, 'policy' in own ? own : undefined].filter((one) => one !== undefined);
  }

  capturePorts(principal: Principal): readonly number[] {
    const own = this.#ownOf(principal);
    return 'policy' in own ? own.policy.capturePorts(principal) : [];
  }

  /** Without a policy of its own a session is denied everything, and has no rules. Of the ceiling it is told that there is one. */
  rulesFor(...[principal, bounds]: Parameters<Policy['rulesFor']>): ReturnType<Policy['rulesFor']> {
    const own = this.#ownOf(principal);
    const isBounded = this.#ceiling !== undefined;
    if (!('policy' in own)) return { rules: [], notShown: 0, isBounded, mayBeObserved: false };
    return { ...own.policy.rulesFor(principal, bounds), isBounded };
  }

  blindHosts(principal: Principal): readonly string[] {
    const own = this.#ownOf(principal);
    return 'policy' in own ? own.policy.blindHosts(principal) : [];
  }

  sshHosts(principal: Principal): readonly string[] {
    const own = this.#ownOf(principal);
    return 'policy' in own ? own.policy.sshHosts(principal) : [];
  }

  injected(principal: Principal): ReadonlySet<string> {
    const own = this.#ownOf(principal);
    return 'policy' in own ? own.policy.injected(principal) : new Set();
  }

  /** As the ceiling bounds it. */
  signing(principal: Principal): SessionSigning | undefined {
    const own = this.#ownOf(principal);
    if (!('policy' in own)) return undefined;
    const signing = own.policy.signing(principal);
    const ceiling = this.#ceiling?.policy;
    return ceiling === undefined ? signing : bothSignings(signing, ceiling.signing(principal));
  }

  changesBetween(fromMs: number, toMs: number, host?: string): boolean {
    return this.policies.some(({ policy }) => policy.changesBetween(fromMs, toMs, host));
  }

  #ownOf({ claims }: Principal): NamedPolicy | { denial: (access: AccessRequest) => DenyDecision } {
    const fitting = this.#bound.filter(({ binding = {} }) => selects(binding, claims));
    const [first, second] = fitting;
    const unread = this.#unread.find(({ name, binding = {} }) => {
      if (name === ceilingName) return true;
      if (name === mainName) return first === undefined;
      // What was in force of it stays for those whom it was for.
      return selects(binding, claims) && !fitting.some((one) => one.name === name);
    });
    if (unread !== undefined) return { denial: (access) => unreadDenial(unread, access) };
    if (first !== undefined && second !== undefined) {
      const names = fitting.map(({ name }) => name).join(' and ');
      return { denial: (access) => bindingDenial(ambiguousName, access, `${names} are all bound`) };
    }
    const own = first ?? this.#main;
    return own ?? { denial: (access) => bindingDenial(unboundName, access, 'none is bound') };
  }
}

function bindingDenial(name: string, access: AccessRequest, why: string): DenyDecision {
  return {
    effect: 'deny',
    rule: { name },
    reason: `This session has no policy that could allow ${describeAccess(access)}; the operators of the gateway have to say which one is for it.`,
    operatorReason: `Of the published policies ${why} to this session, by its claims; exactly one must be. \`policy history\` shows what each is bound to.`,
  };
}

function unreadDenial({ name }: UnreadPolicy, access: AccessRequest): DenyDecision {
  return {
    effect: 'deny',
    rule: { name: unreadName, policy: name },
    reason: `The gateway cannot read the policy that says whether ${describeAccess(access)} is allowed; its operators have to mend that.`,
    operatorReason: `The published policy ${name} cannot be read here, and none before it; until it can, whom it is for is denied everything. \`policy history --name ${name}\` says why: add what its rules name to this gateway's configuration, or publish it again.`,
  };
}

function by<One extends Decision>(policy: string, decision: One): One {
  return { ...decision, rule: { ...decision.rule, policy } satisfies RuleReference };
}

function named({ name }: NamedPolicy, decision: Decision): Decision {
  return by(name, decision);
}

function ceilingDenial(decision: DenyDecision): DenyDecision {
  const isDefault = decision.rule.name === defaultDenyName;
  const rule = { ...decision.rule, policy: ceilingName, ...(isDefault ? { name: ceilingDenyName } : {}) };
  return { ...decision, rule, operatorReason: `The ceiling: ${decision.operatorReason}` };
}
