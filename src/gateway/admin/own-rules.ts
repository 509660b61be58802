// Which rules are told to somebody who sees only some sessions: those that are for one of these. Names of rules and policies can name others.

import { BoundPolicies, ceilingName, mainName } from '../../policy/bound-policies.ts';
import { selects } from '../../policy/claim-selector.ts';
import type { Policy, Principal } from '../../policy/decision.ts';
import { isForSession, type Rule } from '../../policy/rule.ts';
import type { SessionRecord, Store } from '../../store/store.ts';
import type { RefusedPolicy } from '../policies/published-policies.ts';
import { type AdminParts, given } from './admin-parts.ts';
import { isSeen, type Operator } from './operator.ts';
import { seenList } from './seen-list.ts';

type Claims = Principal['claims'];

/** What of the policy in force is theirs. */
export interface OwnRules {
  /** `policy`: the published policy that the rule is of, where it is of one. */
  readonly hasRule: (rule: Rule, policy?: string) => boolean;
  readonly hasRefused: (refused: RefusedPolicy) => boolean;
}

/** Undefined: who asks sees all. */
export async function ownRules(
  store: Pick<Store, 'sessions'>,
  operator: Operator,
  policy: Policy,
): Promise<OwnRules | undefined> {
  if (operator.sees === undefined) return undefined;
  const all = await seenClaims(store, operator);
  const byPolicy = claimsByPolicy(policy, all);
  // Rules have their selectors from few files, so most are asked once.
  const known = new Map<string, boolean>();
  const hasRule: OwnRules['hasRule'] = (rule, name) => {
    const claims = name === undefined ? all : byPolicy.get(name);
    if (claims === undefined) return false;
    if (rule.selectors.length === 0) return true;
    const key = JSON.stringify([name, rule.selectors]);
    const isTheirs = known.get(key) ?? claims.some((one) => isForSession(rule, { claims: one }));
    known.set(key, isTheirs);
    return isTheirs;
  };
  const hasRefused: OwnRules['hasRefused'] = ({ version: { policy: name, binding } }) => {
    if (name === ceilingName || byPolicy.has(name)) return true;
    // It would be for those that no other policy is for.
    if (name === mainName) return all.some((claims) => ownPolicies(policy, claims).length === 0);
    return all.some((claims) => selects(binding ?? {}, claims));
  };
  return { hasRule, hasRefused };
}

/** How long there has been something newer for their sessions that cannot be taken. */
export async function staleMsFor(
  { store, policies, clock }: Pick<AdminParts, 'store' | 'policies' | 'clock'>,
  operator: Operator,
): Promise<number> {
  const { published } = policies;
  if (operator.sees === undefined || published === undefined || published.refused.length === 0)
    return policies.staleMs();
  const own = await ownRules(store, operator, policies.current());
  const refused = published.refused.filter((one) => own?.hasRefused(one) ?? true);
  return Math.max(0, ...refused.map(({ sinceMs }) => clock() - sinceMs));
}

/** Of each published policy, the claims of sessions that it judges. The ceiling judges all. */
function claimsByPolicy(policy: Policy, all: readonly Claims[]): ReadonlyMap<string, readonly Claims[]> {
  const found = new Map<string, Claims[]>([[ceilingName, [...all]]]);
  for (const claims of all)
    for (const name of ownPolicies(policy, claims)) {
      const of = found.get(name) ?? [];
      found.set(name, of);
      of.push(claims);
    }
  return found;
}

function ownPolicies(policy: Policy, claims: Claims): readonly string[] {
  if (!(policy instanceof BoundPolicies)) return [];
  const principal = { id: '', sessionId: '', claims, posture: [] };
  return policy
    .policiesFor(principal)
    .map(({ name }) => name)
    .filter((name) => name !== ceilingName);
}

/** Of the living sessions that they see, and of one that has just what binds them. */
async function seenClaims(
  { sessions }: Pick<Store, 'sessions'>,
  operator: Operator,
): Promise<readonly Claims[]> {
  const { sees = {} } = operator;
  const found = await seenList({
    page: (before, limit) => sessions.list({ living: true, ...given('before', before), limit }),
    placeOf: ({ enrolledMs, id }: SessionRecord) => ({ ms: enrolledMs, id }),
    sees: ({ claims }) => isSeen(operator, claims),
    before: undefined,
  });
  const isWhole = Object.values(sees).every(
    (value) => typeof value !== 'object' && !(typeof value === 'string' && value.includes('*')),
  );
  const all = [...(isWhole ? [sees] : []), ...found.items.map(({ claims }) => claims)];
  return [...new Map(all.map((claims) => [JSON.stringify(claims), claims])).values()];
}
