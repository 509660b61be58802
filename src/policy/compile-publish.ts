// `publish` of a rule about packages as it is written, to what is matched.

import { parsePackagePattern } from './package-pattern.ts';
import type { RuleDocument } from './policy-schema.ts';
import { operationsOf, type PublishCondition } from './publish-rule.ts';
import { asList } from './schema-parts.ts';
import type { Report } from './yaml-source.ts';

const ofFetching = [
  'allow',
  'deny',
  'minAge',
  'integrity',
  'provenance',
  'installScripts',
  'advisories',
  'malware',
  'exceptions',
] as const;

/** Problems go to `report`. */
export function compilePublish(
  { packages, ...rule }: RuleDocument,
  report: Report,
): PublishCondition | undefined {
  const { registry, publish } = packages ?? {};
  if (packages === undefined || registry === undefined || publish === undefined) return undefined;
  const at = ['packages', 'publish'] as const;
  if (rule.deny !== undefined)
    report(
      [...at],
      '"publish" has no meaning in a rule that denies; what its deny names is not published either',
    );
  if (rule.rewrite?.request !== undefined)
    report(['rewrite', 'request'], 'what is published is not changed; remove "request"');
  for (const key of ofFetching)
    if (packages[key] !== undefined)
      report(
        ['packages', key],
        `a rule with "publish" is about publishing alone, and "${key}" is about what is fetched; write two rules`,
      );
  const known = operationsOf[registry];
  if (known === undefined) {
    report(
      [...at],
      `the gateway does not read what is published to a registry of ${registry}; "publish" is for ${Object.keys(operationsOf).join(', ')}`,
    );
    return undefined;
  }
  const operations = asList(publish.operations ?? 'publish');
  for (const one of operations)
    if (!known.includes(one))
      report([...at, 'operations'], `a registry of ${registry} has no ${one}; write ${known.join(', ')}`);
  const allow = asList(publish.allow).flatMap((source, i) => {
    const pattern = parsePackagePattern(source, registry);
    if (typeof pattern !== 'string') return [pattern];
    report(typeof publish.allow === 'string' ? [...at, 'allow'] : [...at, 'allow', i], pattern);
    return [];
  });
  return { allow, operations };
}
