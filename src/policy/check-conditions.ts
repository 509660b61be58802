// Conditions that no index can tell apart: each of them is run for each request to their host, and together they are more than one decision
// may take, so that these requests would be refused.

import { defaultLimits } from '../protocol/limits.ts';
import { formatHostPattern } from './host-pattern.ts';
import type { Rule } from './rule.ts';
import { leastStepsOf } from './rule-condition.ts';

/** One finding about several rules. */
export interface CrowdedRules {
  readonly indexes: readonly number[];
  readonly message: string;
}

interface Crowd {
  readonly host: string;
  readonly indexes: number[];
  steps: number;
}

/** Rules that are alike in all that a decision looks rules up by; each such group that is too large once. */
export function checkConditions(rules: readonly Rule[]): readonly CrowdedRules[] {
  const crowds = new Map<string, Crowd>();
  for (const [index, rule] of rules.entries()) {
    if (rule.when === undefined) continue;
    const { guard } = rule.when;
    const alike = JSON.stringify([
      guard,
      rule.ports && [...rule.ports],
      [...rule.schemes],
      rule.methods && [...rule.methods],
      rule.selectors,
      rule.paths?.map(({ source }) => source),
      rule.git?.repositories?.map(({ source }) => source),
      rule.mcp,
      rule.graphql,
      rule.llm,
      rule.packages,
    ]);
    for (const host of new Set(rule.hosts.map(formatHostPattern))) {
      const key = `${host} ${alike}`;
      const crowd = crowds.get(key) ?? { host, indexes: [], steps: 0 };
      crowds.set(key, crowd);
      crowd.indexes.push(index);
      crowd.steps += leastStepsOf(rule.when);
    }
  }
  return [...crowds.values()].filter(({ steps }) => steps > defaultLimits.decisionStepsMax).map(crowdOf);
}

function crowdOf({ host, indexes }: Crowd): CrowdedRules {
  const message =
    `${indexes.length} rules for ${host} have conditions that nothing tells apart but to run each of them for each request, which is ` +
    'more than one decision may cost (decisionStepsMax): requests that reach them are refused. Let each condition begin with a comparison that is its own, ' +
    'such as claims.repository == "acme/app" && or request.path.startsWith("/acme/") &&, give the rules paths of their own, or make one rule of them';
  return { indexes, message };
}
