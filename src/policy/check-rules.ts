// What is wrong between rules: names used twice, rules that can never decide, denials that blind bytes would evade.

import type { ClaimSelector } from './claim-selector.ts';
import { CoveringIndex } from './covering-index.ts';
import { formatHostPattern, hostsOverlap } from './host-pattern.ts';
import { type Rule, seesRequests } from './rule.ts';
import { TouchingIndex } from './touching-index.ts';

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
  'work-limit',
  'access-requests',
]);

/** What finds the rules that one rule has to be compared with, so that thousands are not compared with thousands. */
interface Indexes {
  readonly firstByName: ReadonlyMap<string, Rule>;
  readonly covering: CoveringIndex;
  /** Rules that pass connections unopened. */
  readonly blind: TouchingIndex;
  readonly raw: TouchingIndex;
  /** Rules that allow and know what they let through: TLS or HTTP. */
  readonly known: TouchingIndex;
}

/** Checks the rules of all files together. */
export function checkRules(rules: readonly Rule[]): readonly RuleProblem[] {
  const indexes = indexRules(rules);
  return rules.flatMap((rule, i) => [
    ...nameProblems(rule, i, indexes),
    ...deadProblem(rule, i, indexes),
    ...blindProblem(rule, i, indexes),
    ...rawBehindDenyProblem(rule, i, indexes),
    ...rawProblem(rule, i, indexes),
  ]);
}

function indexRules(rules: readonly Rule[]): Indexes {
  const firstByName = new Map<string, Rule>();
  for (const rule of rules) {
    if (!firstByName.has(rule.reference.name)) firstByName.set(rule.reference.name, rule);
  }
  const blind = rules.filter(({ effect, handling }) => effect === 'allow' && handling !== 'intercept');
  const raw = blind.filter(({ handling }) => handling === 'raw');
  // They are looked for by rules for raw TCP alone.
  const known = raw.length === 0 ? [] : rules.filter(isKnown);
  return {
    firstByName,
    covering: new CoveringIndex(rules),
    blind: new TouchingIndex(blind),
    raw: new TouchingIndex(raw),
    known: new TouchingIndex(known),
  };
}

function isKnown({ effect, handling }: Rule): boolean {
  return effect === 'allow' && handling !== 'raw';
}

function lineOf(rule: Rule): string {
  return `"${rule.reference.name}" (${rule.reference.place ?? 'unknown place'})`;
}

function nameProblems(rule: Rule, i: number, { firstByName }: Indexes): RuleProblem[] {
  const { name } = rule.reference;
  if (reserved.has(name)) {
    return [{ index: i, key: 'name', message: `the name ${name} is reserved; write another name` }];
  }
  const first = firstByName.get(name);
  if (first === undefined || first === rule) return [];
  const message = `the name ${name} is used by ${lineOf(first)} already; write another one`;
  return [{ index: i, key: 'name', message }];
}

/** A rule is dead if one other rule always decides before it. */
function deadProblem(rule: Rule, i: number, { covering }: Indexes): RuleProblem[] {
  const killer = covering.find(rule);
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

/** A deny that looks at requests cannot be kept where another rule passes the bytes unopened. */
function blindProblem(rule: Rule, i: number, { blind }: Indexes): RuleProblem[] {
  if (rule.effect !== 'deny' || !seesRequests(rule) || rule.mode === 'observe') return [];
  const where = { ports: rule.ports, selectors: concerned(rule) };
  for (const host of rule.hosts) {
    const other = blind.find(host, where, (one) => one.hosts.some((its) => hostsOverlap(host, its)));
    if (other === undefined) continue;
    const message = `this rule looks into requests, but ${lineOf(other)} passes connections to ${formatHostPattern(host)} unopened; deny the host without methods, paths, git, mcp, graphql, llm, packages and when, or let that rule intercept`;
    return [{ index: i, message }];
  }
  return [];
}

/** A rule that denies concerns all sessions, or those that an allowing rule may be for in the same words. */
function concerned({ selectors }: Rule): readonly (readonly ClaimSelector[])[] | undefined {
  return selectors.length === 0 ? undefined : [selectors];
}

/** A deny for https or http alone does not stop raw TCP, which may carry either. */
function rawBehindDenyProblem(rule: Rule, i: number, { raw }: Indexes): RuleProblem[] {
  if (rule.effect !== 'deny' || rule.schemes.has('tcp') || rule.mode === 'observe') return [];
  // On other ports than these a deny without ports does not mean what raw TCP is allowed for, such as SSH.
  const ports = rule.ports ?? new Set([...rule.schemes].map((scheme) => (scheme === 'http' ? 80 : 443)));
  for (const host of rule.hosts) {
    const other = raw.find(host, { ports, selectors: concerned(rule) });
    if (other === undefined) continue;
    const message = `this rule denies ${[...rule.schemes].join(' and ')} alone, but ${lineOf(other)} passes any bytes to ${formatHostPattern(host)} on the same port; leave "scheme" out, so that it denies them too`;
    return [{ index: i, key: 'scheme', message }];
  }
  return [];
}

/** Raw TCP is decided before the first byte, so it would take every connection from a rule that looks into them. */
function rawProblem(rule: Rule, i: number, { known }: Indexes): RuleProblem[] {
  if (rule.handling !== 'raw') return [];
  const selectors = rule.selectors.length === 0 ? undefined : [rule.selectors, []];
  for (const host of rule.hosts) {
    const other = known.find(host, { ports: rule.ports, selectors });
    if (other === undefined) continue;
    const message = `raw TCP to ${formatHostPattern(host)} would take the connections of ${lineOf(other)}, which is for the same host and port; keep one of the two`;
    return [{ index: i, message }];
  }
  return [];
}
