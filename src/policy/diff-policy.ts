// What a change of the policy means: rules, hosts that open and close, credentials that reach other hosts.

import type { CompiledPolicy } from './compiled-policy.ts';
import { defaultLimits } from '../protocol/limits.ts';
import {
  allAtOnce,
  type CredentialHost,
  credentialsOnlyIn,
  openingsOnlyIn,
  reachOf,
  type Steps,
} from './compare-reach.ts';
import type { Rule } from './rule.ts';
import { ruleAspects } from './rule-aspects.ts';

/** What a change does to what can be reached. `changed`: neither more nor less, or both. */
export type Direction = 'widened' | 'narrowed' | 'changed';

export interface KeyChange {
  readonly key: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly direction: Direction;
}

export interface RuleChange {
  readonly name: string;
  readonly place: string | undefined;
  readonly effect: 'allow' | 'deny';
  readonly direction: Direction;
  readonly keys: readonly KeyChange[];
}

export interface RuleEntry {
  readonly name: string;
  readonly place: string | undefined;
  readonly effect: 'allow' | 'deny';
  readonly keys: Readonly<Record<string, string>>;
}

export interface PolicyDiff {
  readonly before: string;
  readonly after: string;
  readonly added: readonly RuleEntry[];
  readonly removed: readonly RuleEntry[];
  readonly changed: readonly RuleChange[];
  /** Rules that allow and stand behind others now than before; the first that matches decides. */
  readonly moved: readonly string[];
  /** `https://host`, `tcp host:22`: what some rule allows, and none did. */
  readonly opened: readonly string[];
  readonly closed: readonly string[];
  readonly credentialsGained: readonly CredentialHost[];
  readonly credentialsLost: readonly CredentialHost[];
  /** Why nothing is said of what opens and closes, and of credentials. */
  readonly notCompared: string | undefined;
  /** Files whose mode is another one, or that begin or cease to observe. */
  readonly modes: readonly string[];
}

/** Compares by the names of the rules. */
export function diffPolicies(before: CompiledPolicy, after: CompiledPolicy): PolicyDiff {
  return allAtOnce(diffSteps(before, after));
}

/** As `diffPolicies`, for a thread that serves meanwhile. */
export function* diffSteps(before: CompiledPolicy, after: CompiledPolicy): Steps<PolicyDiff> {
  const old = new Map(before.rules.map((rule) => [rule.reference.name, rule]));
  const current = new Map(after.rules.map((rule) => [rule.reference.name, rule]));
  const [added, removed, changed]: [RuleEntry[], RuleEntry[], RuleChange[]] = [[], [], []];
  for (const [name, rule] of current) {
    const earlier = old.get(name);
    if (earlier === undefined) added.push(entryOf(rule));
    else changed.push(...ruleChange(earlier, rule));
    yield sizeOf(rule) + (earlier === undefined ? 0 : sizeOf(earlier));
  }
  for (const [name, rule] of old) {
    if (current.has(name)) continue;
    removed.push(entryOf(rule));
    yield sizeOf(rule);
  }
  const moved = movedRules(before, after);
  yield after.rules.length;
  return {
    before: before.version,
    after: after.version,
    added,
    removed,
    changed,
    moved,
    ...(yield* reachSteps(before, after)),
    modes: modeChanges(before, after),
  };
}

type Reach = Pick<PolicyDiff, 'opened' | 'closed' | 'credentialsGained' | 'credentialsLost' | 'notCompared'>;

/** What can be reached. Where the policies name too much for that nothing is said, for a part of it would be wrong. */
export function* reachSteps(before: CompiledPolicy, after: CompiledPolicy): Steps<Reach> {
  const { policyReachComparedMax: max } = defaultLimits;
  const reach = Math.max(reachOf(before), reachOf(after));
  if (reach > max) {
    const notCompared = `rules name ${reach} pairs of a host with a port or a credential, and at most ${max} are compared (policyReachComparedMax)`;
    return { opened: [], closed: [], credentialsGained: [], credentialsLost: [], notCompared };
  }
  return {
    opened: yield* openingsOnlyIn(after, before),
    closed: yield* openingsOnlyIn(before, after),
    credentialsGained: yield* credentialsOnlyIn(after, before),
    credentialsLost: yield* credentialsOnlyIn(before, after),
    notCompared: undefined,
  };
}

/** What its words cost, and what comparing its paths may. */
function sizeOf({ hosts, paths, ports, git, mcp, graphql, llm, packages }: Rule): number {
  const ofBodies = [git, mcp, graphql, llm, packages].reduce(
    (sum, one) => sum + (one === undefined ? 0 : 64),
    0,
  );
  const ofPackages = (packages?.deny.length ?? 0) + (packages?.allow?.length ?? 0);
  return 8 + ofPackages + hosts.length + 8 * (paths?.length ?? 0) + (ports?.size ?? 0) + ofBodies;
}

function entryOf(rule: Rule): RuleEntry {
  const keys = ruleAspects.flatMap(({ key, text }) => {
    const value = text(rule);
    return value === undefined ? [] : [[key, value] as const];
  });
  return {
    name: rule.reference.name,
    place: rule.reference.place,
    effect: rule.effect,
    keys: Object.fromEntries(keys),
  };
}

function ruleChange(old: Rule, rule: Rule): RuleChange[] {
  const keys = ruleAspects.flatMap((aspect): KeyChange[] => {
    const [before, after] = [aspect.text(old), aspect.text(rule)];
    if (before === after) return [];
    const [more, less] = [aspect.covers(rule, old), aspect.covers(old, rule)];
    // A rule that denies more lets less through.
    const isReversed = aspect.isMatch && rule.effect === 'deny';
    const direction = more === less ? 'changed' : more === isReversed ? 'narrowed' : 'widened';
    return [{ key: aspect.key, before, after, direction }];
  });
  if (keys.length === 0) return [];
  const directions = new Set(keys.map(({ direction }) => direction));
  const [only = 'changed'] = directions;
  const direction = directions.size === 1 ? only : 'changed';
  const { name, place } = rule.reference;
  return [{ name, place, effect: rule.effect, direction, keys }];
}

/** Rules that allow, are in both, and lie outside the longest run that kept its order. */
function movedRules(before: CompiledPolicy, after: CompiledPolicy): readonly string[] {
  const allows = ({ rules }: CompiledPolicy): readonly string[] =>
    rules.filter(({ effect }) => effect === 'allow').map(({ reference }) => reference.name);
  const places = new Map(allows(before).map((name, i) => [name, i]));
  const common = allows(after).filter((name) => places.has(name));
  const kept = new Set(longestRising(common.map((name) => places.get(name) ?? 0)));
  return common.filter((name) => !kept.has(places.get(name) ?? 0));
}

/** The longest rising run of a list of different numbers, gaps allowed, from its end; n log n. */
function longestRising(values: readonly number[]): readonly number[] {
  const tails: number[] = [];
  const previous = new Map<number, number | undefined>();
  for (const value of values) {
    let [low, high] = [0, tails.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((tails[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    previous.set(value, tails[low - 1]);
    tails[low] = value;
  }
  const run: number[] = [];
  for (let value = tails.at(-1); value !== undefined; value = previous.get(value)) run.push(value);
  return run;
}

/** Default deny hangs on the modes of the files; files are told apart by whom they are for. */
function modeChanges(before: CompiledPolicy, after: CompiledPolicy): readonly string[] {
  const modes = ({ files }: CompiledPolicy): ReadonlyMap<string, string> =>
    new Map(
      Map.groupBy(files, ({ selectors }) => JSON.stringify(selectors))
        .entries()
        .map(([who, ones]) => [who, ones.every(({ mode }) => mode === 'observe') ? 'observe' : 'enforce']),
    );
  const [old, current] = [modes(before), modes(after)];
  return [...new Set([...old.keys(), ...current.keys()])].flatMap((who) => {
    const [was, is] = [old.get(who), current.get(who)];
    if (was === is || (was ?? is) === undefined) return [];
    const whose = who === '[]' ? 'files for every session' : `files for ${who}`;
    return [`${whose}: ${was ?? 'none'} → ${is ?? 'none'}`];
  });
}

/** For a terminal. */
export function diffText(diff: PolicyDiff): string {
  const lines: string[] = [];
  const section = (title: string, entries: readonly string[]): void => {
    if (entries.length > 0) lines.push(`${title}:`, ...entries.map((entry) => `  ${entry}`));
  };
  const credential = ({ credential: name, host }: CredentialHost): string => `${name} to ${host}`;
  section('not compared, hosts and credentials', diff.notCompared === undefined ? [] : [diff.notCompared]);
  section('opened', diff.opened);
  section('closed', diff.closed);
  section('credentials that reach new hosts', diff.credentialsGained.map(credential));
  section('credentials that reach hosts no more', diff.credentialsLost.map(credential));
  section('rules added', diff.added.map(entryText));
  section('rules removed', diff.removed.map(entryText));
  section('rules changed', diff.changed.map(changeText));
  section('rules moved (the first that allows decides)', diff.moved);
  section('modes', diff.modes);
  return lines.length === 0 ? 'no difference in meaning\n' : `${lines.join('\n')}\n`;
}

function entryText({ name, place, effect, keys }: RuleEntry): string {
  const shown = Object.entries(keys).filter(
    ([key, value]) => !(key === 'mode' && value === 'enforce') && key !== 'tls',
  );
  return [
    `${effect} ${name}${place === undefined ? '' : ` (${place})`}`,
    ...shown.map(([key, value]) => `    ${key}: ${value}`),
  ].join('\n  ');
}

function changeText({ name, place, effect, direction, keys }: RuleChange): string {
  return [
    `${effect} ${name}${place === undefined ? '' : ` (${place})`}: ${direction}`,
    ...keys.map(
      ({ key, before, after, direction: how }) =>
        `    ${key}: ${before ?? 'not set'} → ${after ?? 'not set'} (${how})`,
    ),
  ].join('\n  ');
}
