// What a policy says to one session, for the session itself: what it may do and what is closed to it, and nothing of what is for others.

import type { Principal, RuleView, ViewedRule } from './decision.ts';
import { formatHostPattern } from './host-pattern.ts';
import { effectivePorts, ruleAspects } from './rule-aspects.ts';
import { isForSession, missingFacts, type Rule } from './rule.ts';

/** Keys of a rule that are told by themselves, or that say of others what they are. */
const told = new Set(['hosts', 'scheme', 'ports', 'methods', 'paths', 'expires', 'for', 'require', 'when']);
const lookedAt = ruleAspects.filter(({ key, isMatch }) => isMatch && !told.has(key));

/** The rules that are for this session now, in their order; the others are counted. */
export function viewRules(
  rules: readonly Rule[],
  principal: Principal,
  { nowMs, max }: { readonly nowMs: number; readonly max: number },
): RuleView {
  const own = rulesOf(rules, principal, nowMs);
  return {
    rules: own.slice(0, max).map((rule) => viewRule(rule, principal)),
    notShown: Math.max(0, own.length - max),
  };
}

function rulesOf(rules: readonly Rule[], principal: Principal, nowMs: number): readonly Rule[] {
  return (
    rules
      .filter((rule) => isForSession(rule, principal) && nowMs < (rule.expiresMs ?? Infinity))
      // It refuses nothing, and tells the operator alone.
      .filter(({ effect, mode }) => !(effect === 'deny' && mode === 'observe'))
  );
}

function viewRule(rule: Rule, principal: Principal): ViewedRule {
  const { reference, effect, hosts, schemes, methods, paths, limits, expiresMs, reason } = rule;
  const ports = effectivePorts(rule);
  const needs = missingFacts(rule, principal);
  const only: Record<string, string> = {};
  for (const { key, text } of lookedAt) {
    const said = text(rule);
    if (said !== undefined) only[key] = said;
  }
  // Who else is meant by it is nobody's business here.
  if (rule.when !== undefined) only['when'] = 'a condition of the operator holds';
  return {
    name: reference.name,
    effect,
    hosts: hosts.map(formatHostPattern),
    schemes: [...schemes],
    ...(rule.ask === undefined ? {} : { asks: true }),
    ...(ports === undefined ? {} : { ports: [...ports] }),
    ...(methods === undefined ? {} : { methods: [...methods] }),
    ...(paths === undefined ? {} : { paths: paths.map(({ source }) => source) }),
    ...(Object.keys(only).length === 0 ? {} : { only }),
    ...(Object.keys(limits).length === 0 ? {} : { limits: { ...limits } }),
    ...(Object.keys(limits).length === 0 || rule.budget === undefined ? {} : { budget: rule.budget }),
    ...(effect === 'allow' && rule.llm?.budget !== undefined ? { modelBudget: rule.llm.budget } : {}),
    ...(expiresMs === undefined ? {} : { ends: new Date(expiresMs).toISOString() }),
    ...(needs.length === 0 ? {} : { needs }),
    ...(effect === 'deny' && reason !== undefined ? { reason } : {}),
  };
}
