// Rules that allow all of a host, beside one that lets some packages of it through: what one of two rules allows is allowed.

import { formatHostPattern } from './host-pattern.ts';
import { looksAtAdvisories } from './package-advisories.ts';
import type { Rule } from './rule.ts';
import { portsOf } from './rule-cover.ts';
import { TouchingIndex } from './touching-index.ts';

/** One finding about the rule at the only index. */
export interface OpenedPackages {
  readonly indexes: readonly number[];
  readonly message: string;
}

/** Each rule about packages that another opens, with the first that does. */
export function checkPackages(rules: readonly Rule[]): readonly OpenedPackages[] {
  const bounded = rules.filter(
    ({ effect, packages }) => effect === 'allow' && packages !== undefined && packages.publish === undefined,
  );
  if (bounded.length === 0) return [];
  const open = new TouchingIndex(rules.filter(allowsReads));
  return bounded.flatMap((rule) => {
    const found = openedBy(rule, open);
    return found === undefined ? [] : [found];
  });
}

/** Rules that look at advisories where nobody keeps an index of them. */
export function checkAdvisories(
  rules: readonly Rule[],
  known: Iterable<string> | undefined,
): readonly OpenedPackages[] {
  if (known === undefined || [...known].length > 0) return [];
  return rules.flatMap(({ packages, effect, order }) => {
    if (packages === undefined || !looksAtAdvisories(packages)) return [];
    const what = effect === 'allow' ? 'allows nothing' : 'denies all packages of its registry';
    const message = `this rule looks at advisories, and the gateway has no index of them, so it ${what}; write "advisories: { index: FILE }" in the configuration, and fill it by "upstreamproxy packages advisories import"`;
    return [{ indexes: [order], message }];
  });
}

/** Rules that want attestations where the gateway trusts nobody who could have signed them. */
export function checkProvenance(
  rules: readonly Rule[],
  trust: Iterable<string> | undefined,
): readonly OpenedPackages[] {
  if (trust === undefined || [...trust].length > 0) return [];
  return rules.flatMap(({ packages, order }) => {
    if (packages?.provenance === undefined) return [];
    const message =
      'this rule wants provenance, and the gateway has no root of trust to verify it by, so it lets no version through; write "packageTrust: { sigstore: FILE }" in the configuration';
    return [{ indexes: [order], message }];
  });
}

/** Any of them: a rule that says more of requests was meant for those. Which of two rules handles a connection is checked elsewhere. */
function allowsReads(rule: Rule): boolean {
  const { effect, handling, methods, paths, git, mcp, graphql, llm, packages, when } = rule;
  const says = [paths, git, mcp, graphql, llm, packages, when].some((one) => one !== undefined);
  return effect === 'allow' && handling === 'intercept' && !says && methods?.has('GET') !== false;
}

function openedBy(rule: Rule, open: TouchingIndex): OpenedPackages | undefined {
  const ports = new Set([...rule.schemes].flatMap((scheme) => portsOf(rule, scheme)));
  const selectors = rule.selectors.length === 0 ? undefined : [rule.selectors, []];
  const where = { ports: new Set([...ports].filter((port) => port !== 'all')), selectors };
  for (const host of rule.hosts) {
    const other = open.find(host, where);
    if (other === undefined) continue;
    const { name, place = 'unknown place' } = rule.reference;
    const message = `this rule allows all of ${formatHostPattern(host)}, so "${name}" (${place}) keeps no package back there: what one of two rules allows is allowed; give this rule paths, leave the host out of it, or remove it`;
    return { indexes: [other.order], message };
  }
  return undefined;
}
