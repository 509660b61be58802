// What is wrong between rules: names used twice, rules that can never decide, denials that blind bytes would evade.

import { sameSelectors } from './claim-selector.ts';
import { gitCovers } from './git-rule.ts';
import { formatHostPattern, hostCovers, hostsOverlap, type HostPattern } from './host-pattern.ts';
import { type Rule, type RuleScheme, seesRequests } from './rule.ts';

/** A problem of the rule at `index` of the list. */
export interface RuleProblem {
  readonly index: number;
  readonly key?: string;
  readonly message: string;
}

const reserved: ReadonlySet<string> = new Set([
  'default-deny',
  'observe',
  'address-guard',
  'access-requests',
]);

/** Checks the rules of all files together. */
export function checkRules(rules: readonly Rule[]): readonly RuleProblem[] {
  const index = new RuleIndex(rules);
  return rules.flatMap((rule, i) => [
    ...nameProblems(rules, i, index),
    ...deadProblem(rule, i, index),
    ...blindProblem(rule, i, index),
    ...rawBehindDenyProblem(rule, i, index),
    ...rawProblem(rule, i, index),
  ]);
}

/** Finds rules by host, so that thousands of rules are not compared with thousands. */
class RuleIndex {
  readonly firstByName = new Map<string, number>();
  readonly #byPattern = new Map<string, Rule[]>();
  /** By each suffix of the hosts, to find what lies below a wildcard. */
  readonly #below = new Map<string, Rule[]>();

  constructor(rules: readonly Rule[]) {
    for (const [i, rule] of rules.entries()) {
      if (!this.firstByName.has(rule.reference.name)) this.firstByName.set(rule.reference.name, i);
      for (const host of rule.hosts) {
        add(this.#byPattern, formatHostPattern(host), rule);
        for (const suffix of suffixes(host)) add(this.#below, suffix, rule);
      }
    }
  }

  /** Rules with a pattern that could cover this one. */
  covering(host: HostPattern): readonly Rule[] {
    const keys = ['*', formatHostPattern(host), ...suffixes(host).map((suffix) => `*.${suffix}`)];
    return [...new Set(keys)].flatMap((key) => this.#byPattern.get(key) ?? []);
  }

  /** Rules with a pattern that this one could cover. */
  coveredBy(host: HostPattern): readonly Rule[] {
    if (host.kind === 'any') return [...this.#byPattern.values()].flat();
    return host.kind === 'suffix' ? (this.#below.get(host.suffix) ?? []) : [];
  }
}

function suffixes(host: HostPattern): readonly string[] {
  if (host.kind === 'any' || (host.kind === 'exact' && host.isAddress)) return [];
  const labels = (host.kind === 'exact' ? host.host : host.suffix).split('.');
  return labels.map((_, i) => labels.slice(i).join('.')).slice(host.kind === 'exact' ? 1 : 0);
}

function add(map: Map<string, Rule[]>, key: string, rule: Rule): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [rule]);
  else if (list.at(-1) !== rule) list.push(rule);
}

function lineOf(rule: Rule): string {
  return `"${rule.reference.name}" (${rule.reference.place ?? 'unknown place'})`;
}

function nameProblems(rules: readonly Rule[], i: number, index: RuleIndex): RuleProblem[] {
  const name = rules[i]?.reference.name ?? '';
  if (reserved.has(name)) {
    return [{ index: i, key: 'name', message: `the name ${name} is reserved; write another name` }];
  }
  const first = rules[index.firstByName.get(name) ?? i];
  if (first === undefined || first === rules[i]) return [];
  const message = `the name ${name} is used by ${lineOf(first)} already; write another one`;
  return [{ index: i, key: 'name', message }];
}

/** A rule is dead if one other rule always decides before it. */
function deadProblem(rule: Rule, i: number, index: RuleIndex): RuleProblem[] {
  const [host] = rule.hosts;
  if (host === undefined) return [];
  const killer = index.covering(host).find((other) => other !== rule && kills(other, rule));
  if (killer === undefined) return [];
  if (killer.effect === 'deny' && rule.effect === 'allow') {
    return [
      {
        index: i,
        message: `this rule can never allow: ${lineOf(killer)} denies all of it; narrow that rule or remove this one`,
      },
    ];
  }
  const admits = rule.handling === 'intercept' ? 'admits all of it' : 'takes all of its connections';
  const covers = rule.effect === 'deny' ? 'denies all of it' : admits;
  return [
    {
      index: i,
      message: `this rule can never decide: ${lineOf(killer)} above ${covers}; move this rule up or remove it`,
    },
  ];
}

function kills(other: Rule, rule: Rule): boolean {
  if (other.effect === 'allow' && (rule.effect === 'deny' || other.order > rule.order)) return false;
  if (other.effect === rule.effect && other.order > rule.order) return false;
  // A rule on trial decides nothing; a condition, a time or a claim may leave something over.
  if (other.effect === 'deny' && other.mode === 'observe' && rule.mode !== 'observe') return false;
  if (other.effect === 'deny' && other.mode === 'observe' && rule.effect === 'allow') return false;
  if (other.when !== undefined || other.expiresMs !== undefined) return false;
  if (other.selectors.length > 0 && !sameSelectors(other.selectors, rule.selectors)) return false;
  if (!other.require.every((fact) => rule.require.includes(fact))) return false;
  // The cheapest of the three first: on one host with thousands of rules nearly all differ in their paths.
  return (
    coversRequests(other, rule) &&
    coversDestinations(other, rule) &&
    rule.hosts.every((inner) => other.hosts.some((outer) => hostCovers(outer, inner)))
  );
}

function coversDestinations(other: Rule, rule: Rule): boolean {
  // Raw TCP takes the connection whatever its bytes are, so the scheme of the other rule does not matter.
  const isRaw = other.handling === 'raw';
  if (rule.handling === 'raw' && !isRaw && !other.schemes.has('tcp')) {
    // The other rule decides for TLS and HTTP only; raw bytes are left to this one.
    return false;
  }
  return [...rule.schemes].every(
    (scheme) =>
      (isRaw || other.schemes.has(scheme)) &&
      portsOf(rule, scheme).every((port) => hasPort(other, scheme, port)),
  );
}

function portsOf(rule: Rule, scheme: RuleScheme): readonly (number | 'all')[] {
  if (rule.ports !== undefined) return [...rule.ports];
  return rule.effect === 'deny' ? ['all'] : [scheme === 'http' ? 80 : 443];
}

function hasPort(rule: Rule, scheme: RuleScheme, port: number | 'all'): boolean {
  const own = portsOf(rule, scheme);
  return own.includes('all') || own.includes(port);
}

function coversRequests(other: Rule, rule: Rule): boolean {
  // For a connection the first rule decides how it is handled, whatever its methods and paths are.
  if (rule.handling !== 'intercept' && other.effect === 'allow') return true;
  if (other.effect === 'allow' && other.handling !== 'intercept') return true;
  if (rule.handling !== 'intercept' && seesRequests(other)) return true;
  if (!gitCovers(other.git, rule.git)) return false;
  const { methods, paths } = other;
  if (
    methods !== undefined &&
    !(rule.methods !== undefined && [...rule.methods].every((one) => methods.has(one)))
  ) {
    return false;
  }
  if (paths === undefined) return true;
  return rule.paths?.every((inner) => paths.some((outer) => outer.covers(inner))) === true;
}

/** A deny that looks at requests cannot be kept where another rule passes the bytes unopened. */
function blindProblem(rule: Rule, i: number, index: RuleIndex): RuleProblem[] {
  if (rule.effect !== 'deny' || !seesRequests(rule) || rule.mode === 'observe') return [];
  for (const host of rule.hosts) {
    const blind = [...index.covering(host), ...index.coveredBy(host)].find(
      (other) => other.effect === 'allow' && other.handling !== 'intercept' && meets(other, rule),
    );
    if (blind === undefined) continue;
    const message = `this rule looks into requests, but ${lineOf(blind)} passes connections to ${formatHostPattern(host)} unopened; deny the host without methods, paths, git and when, or let that rule intercept`;
    return [{ index: i, message }];
  }
  return [];
}

/** A deny for https or http alone does not stop raw TCP, which may carry either. */
function rawBehindDenyProblem(rule: Rule, i: number, index: RuleIndex): RuleProblem[] {
  if (rule.effect !== 'deny' || rule.schemes.has('tcp') || rule.mode === 'observe') return [];
  // On other ports than these a deny without ports does not mean what raw TCP is allowed for, such as SSH.
  const ports = rule.ports ?? new Set([...rule.schemes].map((scheme) => (scheme === 'http' ? 80 : 443)));
  for (const host of rule.hosts) {
    const raw = [...index.covering(host), ...index.coveredBy(host)].find(
      (other) =>
        other.handling === 'raw' &&
        [...ports].some((port) => other.ports?.has(port) === true) &&
        (rule.selectors.length === 0 || sameSelectors(rule.selectors, other.selectors)),
    );
    if (raw === undefined) continue;
    const message = `this rule denies ${[...rule.schemes].join(' and ')} alone, but ${lineOf(raw)} passes any bytes to ${formatHostPattern(host)} on the same port; leave "scheme" out, so that it denies them too`;
    return [{ index: i, key: 'scheme', message }];
  }
  return [];
}

function meets(blind: Rule, deny: Rule): boolean {
  if (deny.selectors.length > 0 && !sameSelectors(deny.selectors, blind.selectors)) return false;
  const sharesPort =
    deny.ports === undefined ||
    [...blind.schemes].some((scheme) => portsOf(blind, scheme).some((port) => hasPort(deny, scheme, port)));
  return sharesPort && deny.hosts.some((a) => blind.hosts.some((b) => hostsOverlap(a, b)));
}

/** Raw TCP is decided before the first byte, so it would take every connection from a rule that looks into them. */
function rawProblem(rule: Rule, i: number, index: RuleIndex): RuleProblem[] {
  if (rule.handling !== 'raw') return [];
  for (const host of rule.hosts) {
    const other = [...index.covering(host), ...index.coveredBy(host)].find(
      (one) =>
        one.effect === 'allow' &&
        one.handling !== 'raw' &&
        sharesPort(one, rule) &&
        sharesSessions(one, rule),
    );
    if (other === undefined) continue;
    const message = `raw TCP to ${formatHostPattern(host)} would take the connections of ${lineOf(other)}, which is for the same host and port; keep one of the two`;
    return [{ index: i, message }];
  }
  return [];
}

function sharesPort(a: Rule, raw: Rule): boolean {
  return [...a.schemes].some((scheme) =>
    portsOf(a, scheme).some((port) => port !== 'all' && raw.ports?.has(port) === true),
  );
}

function sharesSessions(a: Rule, b: Rule): boolean {
  return a.selectors.length === 0 || b.selectors.length === 0 || sameSelectors(a.selectors, b.selectors);
}
