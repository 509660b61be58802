// Rules that let calls of models through beside a rule that counts them.

import type { RuleProblem } from './check-rules.ts';
import { formatHostPattern, hostsOverlap } from './host-pattern.ts';
import type { Rule } from './rule.ts';
import { TouchingIndex } from './touching-index.ts';

/** Where services have what costs something, one path of each. */
const billedPaths = [
  '/v1/chat/completions',
  '/v1/responses',
  '/v1/messages',
  '/v1beta/models/m:generateContent',
  '/v1/models/m:generateContent',
  '/model/m/converse',
];

/**
 * Rules are alternatives: what the rule with the budget does not admit, another one would. So no other rule for its hosts may be for all
 * paths, or for those of calls.
 */
export function checkCounted(rules: readonly Rule[]): readonly RuleProblem[] {
  const counted = rules.filter(({ llm }) => llm?.budget !== undefined);
  if (counted.length === 0) return [];
  const index = new TouchingIndex(counted);
  return rules.flatMap((rule, i) => {
    if (!letsCallsThrough(rule)) return [];
    const where = {
      ports: rule.ports,
      selectors: rule.selectors.length === 0 ? undefined : [rule.selectors, []],
    };
    for (const host of rule.hosts) {
      const other = index.find(
        host,
        where,
        (one) => one !== rule && one.hosts.some((its) => hostsOverlap(host, its)),
      );
      if (other === undefined) continue;
      const { name, place = 'unknown place' } = other.reference;
      const remedy =
        rule.llm === undefined ? 'name other paths in this one' : 'give it a budget, or name its models';
      const message = `this rule lets calls of models at ${formatHostPattern(host)} through, which the budget of "${name}" (${place}) would not count; ${remedy}`;
      return [{ index: i, message }];
    }
    return [];
  });
}

function letsCallsThrough({ effect, handling, methods, paths, llm, git, mcp }: Rule): boolean {
  if (effect === 'deny' || git !== undefined || mcp !== undefined) return false;
  if (llm !== undefined) return llm.budget === undefined && llm.models === undefined;
  if (handling !== 'intercept') return true;
  if (methods !== undefined && !methods.has('POST')) return false;
  return paths === undefined || billedPaths.some((path) => paths.some((one) => one.matches(path)));
}
