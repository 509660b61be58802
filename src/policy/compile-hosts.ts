// `hosts` and `include` of a rule as they are written, to what is matched.

import { accessHost } from './granted-policy.ts';
import { formatHostPattern, type HostPattern, parseHostPattern } from './host-pattern.ts';
import type { RuleDocument } from './policy-schema.ts';
import { isPublicSuffix } from './public-suffix.ts';
import { asList } from './schema-parts.ts';
import type { Report, YamlPath } from './yaml-source.ts';

interface HostContext {
  readonly groups: ReadonlyMap<string, readonly string[]>;
  readonly report: Report;
}

export function compileHosts(
  document: RuleDocument,
  effect: 'allow' | 'deny',
  context: HostContext,
): readonly HostPattern[] {
  const { report } = context;
  const texts: { text: string; path: YamlPath }[] = asList(document.hosts).map((text, i) => ({
    text,
    path: Array.isArray(document.hosts) ? ['hosts', i] : ['hosts'],
  }));
  for (const [i, name] of asList(document.include).entries()) {
    const path = Array.isArray(document.include) ? ['include', i] : ['include'];
    const group = context.groups.get(name);
    if (group === undefined) {
      const known = [...context.groups.keys()].join(', ');
      report(
        path,
        `there is no group ${JSON.stringify(name)}; ${known === '' ? 'define it under "groups"' : `the groups are ${known}`}`,
      );
    }
    texts.push(...(group ?? []).map((text) => ({ text, path })));
  }
  if (document.hosts === undefined && document.include === undefined && document.sign === undefined) {
    report(
      [],
      'the rule has no hosts; write hosts: [registry.example.com], or include: with the name of a group',
    );
  }
  // What is signed, the gateway itself is asked for.
  if (document.sign !== undefined) texts.push({ text: accessHost, path: ['sign'] });
  const hosts = new Map<string, HostPattern>();
  for (const { text, path } of texts) {
    const pattern = parseHostPattern(text, effect);
    if (typeof pattern === 'string') {
      report(path, pattern);
      continue;
    }
    const key = formatHostPattern(pattern);
    if (hosts.has(key)) report(path, `the host ${key} stands twice in this rule; remove one`, 'warning');
    hosts.set(key, pattern);
    const tooWide =
      effect === 'allow' && document.dangerouslyAllowWideHosts !== true ? widthProblem(pattern) : undefined;
    if (tooWide !== undefined) report(path, tooWide);
  }
  if (effect === 'deny' && document.dangerouslyAllowWideHosts === true) {
    report(['dangerouslyAllowWideHosts'], 'a rule that denies may have any wildcard; leave this key out');
  }
  return [...hosts.values()];
}

/** Why a pattern covers hosts of strangers. */
export function widthProblem(pattern: HostPattern): string | undefined {
  if (pattern.kind === 'any') {
    return '"*" allows every host on the internet; write the hosts that are needed, or use mode: observe to learn them';
  }
  if (pattern.kind !== 'suffix' || !isPublicSuffix(pattern.suffix)) return undefined;
  return `*.${pattern.suffix} is a wildcard over names that anybody can register; write the names that are needed, such as name.${pattern.suffix}`;
}
