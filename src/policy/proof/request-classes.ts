// The destinations, methods and times of which a policy tells one from another: one of each stands for all that are alike.

import { actingOnTwo } from '../../http/request-field-table.ts';
import type { CompiledPolicy } from '../compiled-policy.ts';
import { formatHostPattern, hostCovers, type HostPattern } from '../host-pattern.ts';
import type { Rule } from '../rule.ts';
import type { ProofQuestion } from './proof-question.ts';

/** Methods that nobody names are one as good as the other; these are shown. */
const usualMethods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'];

/** One host for each set of patterns that hosts can be matched by, of those that are asked about. */
export function hostsFor(policies: readonly CompiledPolicy[], asked: HostPattern): readonly string[] {
  const patterns = new Map<string, HostPattern>([['asked', asked]]);
  for (const { rules } of policies)
    for (const { hosts } of rules)
      for (const host of hosts) patterns.set(`${host.kind} ${formatHostPattern(host)}`, host);
  const all = [...patterns.values()];
  const exact = new Set(all.flatMap((one) => (one.kind === 'exact' ? [one.host] : [])));
  const suffixes = new Set(all.flatMap((one) => (one.kind === 'suffix' ? [one.suffix] : [])));
  const hosts = all.filter((one) => hostCovers(asked, one)).map((one) => hostOf(one, exact, suffixes));
  // What a rule that denies `*` matches, and one that allows it does not.
  const address = freeAddress(exact);
  const isAsked = asked.kind === 'any' && asked.withAddresses;
  return [...new Set([...hosts, ...(isAsked ? [address] : [])])];
}

/** A host that the pattern matches, and no narrower one. */
function hostOf(pattern: HostPattern, exact: ReadonlySet<string>, suffixes: ReadonlySet<string>): string {
  if (pattern.kind === 'exact') return pattern.host;
  for (let i = 0; ; i++) {
    const label = i === 0 ? 'any' : `any${String(i)}`;
    // Below a name that nobody names, so that no wildcard over whole labels has it.
    const host = pattern.kind === 'suffix' ? `${label}.${pattern.suffix}` : `www.host.${label}`;
    const above = host.split('.').map((_, at, labels) => labels.slice(at).join('.'));
    const isNarrow = pattern.kind === 'any' && above.slice(1).some((name) => suffixes.has(name));
    if (!exact.has(host) && !isNarrow) return host;
  }
}

function freeAddress(exact: ReadonlySet<string>): string {
  for (let i = 0; ; i++) {
    const address = `203.0.${String(113 + Math.floor(i / 256))}.${String(i % 256)}`;
    if (!exact.has(address)) return address;
  }
}

export function portsFor(rules: readonly Rule[], asked: ProofQuestion['port']): readonly number[] {
  if (asked !== undefined) return [asked];
  const named = new Set([443, 80, ...rules.flatMap(({ ports }) => [...(ports ?? [])])]);
  let other = 8443;
  while (named.has(other)) other += 1;
  return [...named, other];
}

export function methodsFor(rules: readonly Rule[], asked: ProofQuestion['method']): readonly string[] {
  if (asked !== undefined) return [asked];
  const named = new Set([
    ...usualMethods,
    ...actingOnTwo,
    ...rules.flatMap(({ methods }) => [...(methods ?? [])]),
  ]);
  let other = 'QUERY';
  while (named.has(other)) other += 'X';
  return [...named, other];
}

/** Now, and each time at which a rule ends. */
export function timesFor(rules: readonly Rule[], nowMs: number): readonly number[] {
  const ends = rules.flatMap(({ expiresMs }) =>
    expiresMs !== undefined && expiresMs > nowMs ? [expiresMs] : [],
  );
  return [nowMs, ...new Set(ends.toSorted((a, b) => a - b))];
}
