// A policy by which a session is narrowed: the language of all policies, less what only operators may say, and less what would say nothing.

import type { CompiledPolicy } from './compiled-policy.ts';
import { parsePolicy } from './parse-policy.ts';
import { type PolicyDocument, policySchema, type RuleDocument } from './policy-schema.ts';
import type { PolicyProblem } from './problem.ts';
import { readYaml, type YamlPath, type YamlSource } from './yaml-source.ts';

/** Matching, denying and counting: all that can only leave less. No groups: their hosts count in each rule, and a workload wrote it. */
const ruleKeys: ReadonlySet<string> = new Set<keyof RuleDocument>([
  'name',
  'description',
  'hosts',
  'dangerouslyAllowWideHosts',
  'scheme',
  'ports',
  'methods',
  'paths',
  'git',
  'mcp',
  'graphql',
  'llm',
  'sign',
  'deny',
  'requestFields',
  'tls',
  'bodies',
  'limits',
]);
const fileKeys: ReadonlySet<string> = new Set<keyof PolicyDocument>(['version', 'rules']);

/** Never throws on bad input: all problems are returned, with places. */
export function parseNarrowing(
  source: YamlSource,
): { readonly policy: CompiledPolicy } | { readonly problems: readonly PolicyProblem[] } {
  const read = readYaml(source, policySchema, { showText: true });
  if ('problems' in read) return { problems: read.problems };
  const problems: PolicyProblem[] = [];
  const report = (path: YamlPath, message: string): void => {
    problems.push({ file: source.file, ...read.locate(path, 'key'), message, severity: 'error' });
  };
  const { rules = [], ...file } = read.value;
  for (const key of Object.keys(file))
    if (!fileKeys.has(key))
      report([key], `"${key}" has no place in a policy that narrows a session; remove it`);
  for (const [index, rule] of rules.entries()) {
    for (const key of Object.keys(rule))
      if (!ruleKeys.has(key)) report(['rules', index, key], ruleMessage(key));
    if (rule.llm?.budget !== undefined || rule.limits?.whenStoreAway !== undefined)
      report(
        ['rules', index, rule.llm?.budget === undefined ? 'limits' : 'llm'],
        'a policy that narrows a session has neither budgets of models nor "whenStoreAway"; count requests or bytes (limits)',
      );
  }
  if (problems.length > 0) return { problems };
  const parsed = parsePolicy([source], { isNarrowing: true });
  return 'problems' in parsed ? parsed : { policy: parsed.policy };
}

function ruleMessage(key: string): string {
  return `a rule that narrows a session has no "${key}": that comes from the rules of the session that it is narrowed from; remove it`;
}
