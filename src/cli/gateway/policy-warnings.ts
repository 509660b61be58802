// What `policy check` and `gateway --check` warn of: what the reader found, and rules whose time is over.

import type { PolicySource } from '../../gateway/policies/policy-source.ts';
import { CompiledPolicy } from '../../policy/compiled-policy.ts';
import { formatProblem } from '../../policy/problem.ts';

/** One line each, with its place. */
export function policyWarnings(source: PolicySource, nowMs: number): readonly string[] {
  const { current, state } = source;
  const rules = current instanceof CompiledPolicy ? current.rules : [];
  const expired = rules.flatMap(({ expiresMs, reference: { name, place = 'policy' } }) => {
    if (expiresMs === undefined || expiresMs > nowMs) return [];
    const when = new Date(expiresMs).toISOString();
    return [
      `${place}: warning: the rule ${name} expired at ${when} and does nothing; remove it, or give it more time`,
    ];
  });
  return [...state.warnings.map(formatProblem), ...expired];
}
