// What some rule of one policy reaches and no rule of another does: hosts by scheme and port, and credentials by host. A host is
// looked up by the patterns that could cover it, so that the work grows as the policies do, and it is done in steps.

import type { CompiledPolicy } from './compiled-policy.ts';
import { coveringKeys, formatHostPattern, hostCovers, type HostPattern } from './host-pattern.ts';
import type { Rule, RuleScheme } from './rule.ts';
import { effectivePorts } from './rule-aspects.ts';

/** Work that tells after each of its steps how much that was, so that a thread that serves can do other things between two. */
export type Steps<T> = Generator<number, T, void>;

/** All steps, for who serves nobody meanwhile. */
export function allAtOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

export interface CredentialHost {
  readonly credential: string;
  readonly host: string;
}

interface Way {
  readonly scheme: RuleScheme;
  readonly port: number;
  readonly key: string;
}

/** How many pairs of a host with a way to it, or with a credential, the rules name. */
export function reachOf({ rules }: CompiledPolicy): number {
  return rules.reduce((sum, rule) => sum + rule.hosts.length * (wayCount(rule) + rule.inject.length), 0);
}

function wayCount({ effect, schemes, ports }: Rule): number {
  return effect === 'allow' ? schemes.size * (ports?.size ?? 1) : 0;
}

function waysOf(rule: Rule): readonly Way[] {
  if (rule.effect !== 'allow') return [];
  return [...rule.schemes].flatMap((scheme) => {
    const ports =
      rule.ports ?? (scheme === 'http' ? [80] : scheme === 'https' ? [443] : (effectivePorts(rule) ?? []));
    return [...ports].map((port) => ({ scheme, port, key: `${scheme} ${port}` }));
  });
}

/** Host patterns by what they are reached by, or with. */
class KnownHosts {
  readonly #byWay = new Map<string, Map<string, HostPattern>>();

  add(way: string, host: HostPattern): void {
    const hosts = this.#byWay.get(way) ?? new Map<string, HostPattern>();
    this.#byWay.set(way, hosts);
    const key = formatHostPattern(host);
    const known = hosts.get(key);
    // Two stars are written alike, and one may have addresses too.
    if (known === undefined || hostCovers(host, known)) hosts.set(key, host);
  }

  /** `keys`: the patterns that could cover the host. */
  covers(way: string, host: HostPattern, keys: readonly string[]): boolean {
    const hosts = this.#byWay.get(way);
    if (hosts === undefined) return false;
    return keys.some((key) => {
      const pattern = hosts.get(key);
      return pattern !== undefined && hostCovers(pattern, host);
    });
  }
}

/** `https://host`, `tcp host:22`: what some rule of the one allows, and none of the other. */
export function* openingsOnlyIn(policy: CompiledPolicy, other: CompiledPolicy): Steps<readonly string[]> {
  const known = new KnownHosts();
  for (const rule of other.rules) {
    const ways = waysOf(rule);
    for (const host of rule.hosts) {
      for (const { key } of ways) known.add(key, host);
      yield ways.length;
    }
  }
  const only = new Set<string>();
  for (const rule of policy.rules) {
    const ways = waysOf(rule);
    for (const host of ways.length === 0 ? [] : rule.hosts) {
      const keys = coveringKeys(host);
      for (const way of ways) if (!known.covers(way.key, host, keys)) only.add(openingText(host, way));
      yield keys.length + ways.length;
    }
  }
  return yield* sortedSteps([...only], (text) => text);
}

function openingText(host: HostPattern, { scheme, port }: Way): string {
  const name = formatHostPattern(host);
  const shown = name.includes(':') ? `[${name}]` : name;
  if (scheme === 'tcp' || scheme === 'udp') return `${scheme} ${shown}:${port}`;
  return `${scheme}://${shown}${port === (scheme === 'http' ? 80 : 443) ? '' : `:${port}`}`;
}

export function* credentialsOnlyIn(
  policy: CompiledPolicy,
  other: CompiledPolicy,
): Steps<readonly CredentialHost[]> {
  const known = new KnownHosts();
  for (const { inject, hosts } of other.rules) {
    for (const host of inject.length === 0 ? [] : hosts) {
      for (const credential of inject) known.add(credential, host);
      yield inject.length;
    }
  }
  const found = new Map<string, CredentialHost>();
  for (const { inject, hosts } of policy.rules) {
    for (const host of inject.length === 0 ? [] : hosts) {
      const keys = coveringKeys(host);
      for (const credential of inject) {
        if (known.covers(credential, host, keys)) continue;
        const shown = formatHostPattern(host);
        found.set(`${credential} ${shown}`, { credential, host: shown });
      }
      yield keys.length + inject.length;
    }
  }
  const sorted = yield* sortedSteps([...found], ([key]) => key);
  return sorted.map(([, one]) => one);
}

const runLength = 512;

/** Sorts by different keys: runs of a few, then two of them into one until there is only one. */
function* sortedSteps<T>(values: readonly T[], keyOf: (value: T) => string): Steps<readonly T[]> {
  let runs: T[][] = [];
  for (let start = 0; start < values.length; start += runLength) {
    const run = values.slice(start, start + runLength);
    runs.push(run.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)));
    yield run.length;
  }
  while (runs.length > 1) {
    const longer: T[][] = [];
    for (let i = 0; i < runs.length; i += 2)
      longer.push(yield* merged(runs[i] ?? [], runs[i + 1] ?? [], keyOf));
    runs = longer;
  }
  return runs[0] ?? [];
}

function* merged<T>(a: readonly T[], b: readonly T[], keyOf: (value: T) => string): Steps<T[]> {
  const all: T[] = [];
  for (let [i, j] = [0, 0]; i < a.length || j < b.length;) {
    const [one, other] = [a[i], b[j]];
    const isOne = other === undefined || (one !== undefined && keyOf(one) < keyOf(other));
    const next = isOne ? one : other;
    if (next !== undefined) all.push(next);
    if (isOne) i += 1;
    else j += 1;
    if (all.length % runLength === 0) yield runLength;
  }
  return all;
}
