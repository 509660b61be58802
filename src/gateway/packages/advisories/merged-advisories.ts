// What several records say of one package, as the index has it: those that are about the same, by their ids and aliases, are one advisory where
// they are as severe as each other.
// Malware stays for itself: nothing that shares an id with it may change what it is, or be mistaken for it.

import { advisoryLevels, type AdvisoryLevel } from '../../../understand/packages/advisory.ts';
import type { IndexedAdvisory, IndexedPackage } from '../../../understand/packages/advisory-index.ts';
import {
  type AffectedVersions,
  endless,
  placedVersions,
  sortedVersions,
  type SortedVersions,
} from '../../../understand/packages/affected-versions.ts';
import type { PackageRegistry } from '../../../understand/packages/package-request.ts';

/** What one record says of the package. */
export interface AdvisoryEntry {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly level: AdvisoryLevel;
  readonly affected: AffectedVersions;
}

const idsMax = 64;

export function mergedAdvisories(
  entries: readonly AdvisoryEntry[],
  registry: PackageRegistry,
): IndexedPackage {
  const sorted = sortedVersions(
    entries.map(({ affected }) => affected),
    registry,
  );
  const malware = entries.flatMap((one) => (one.level === 'malware' ? byLevel([one]) : []));
  const others = groupsOf(entries.filter(({ level }) => level !== 'malware')).flatMap(byLevel);
  const advisories = [...malware, ...others].map((group) => mergedGroup(group, sorted));
  return {
    bounds: sorted.bounds,
    advisories: advisories.toSorted((a, b) => compareIds(a.ids[0] ?? '', b.ids[0] ?? '')),
  };
}

/** Entries that share an id or an alias, directly or by others. */
function groupsOf(entries: readonly AdvisoryEntry[]): readonly (readonly AdvisoryEntry[])[] {
  // Of each entry another one of its group, or itself.
  const others = entries.map((_, i) => i);
  const firstOf = (i: number): number => {
    let at = i;
    for (let next = others[at] ?? at; next !== at; next = others[at] ?? at) {
      others[at] = others[next] ?? next;
      at = next;
    }
    return at;
  };
  const named = new Map<string, number>();
  for (const [i, { id, aliases }] of entries.entries())
    for (const name of [id, ...aliases]) {
      const other = named.get(name);
      if (other === undefined) named.set(name, i);
      else others[firstOf(i)] = firstOf(other);
    }
  const groups = new Map<number, AdvisoryEntry[]>();
  for (const [i, entry] of entries.entries()) {
    const first = firstOf(i);
    const group = groups.get(first);
    if (group === undefined) groups.set(first, [entry]);
    else group.push(entry);
  }
  return [...groups.values()];
}

interface GradedGroup {
  readonly level: AdvisoryLevel;
  readonly entries: readonly AdvisoryEntry[];
  /** Of others that are less severe: who lets one of those through has said nothing of these. */
  readonly lesserIds: ReadonlySet<string>;
}

function byLevel(group: readonly AdvisoryEntry[]): readonly GradedGroup[] {
  const known = advisoryLevels.findLast((level) => group.some((one) => one.level === level)) ?? 'unknown';
  // What nobody has said of one record, another of the same thing says.
  const graded = Map.groupBy(group, ({ level }) => (level === 'unknown' ? known : level));
  const lesserIds = new Set<string>();
  return advisoryLevels.flatMap((level) => {
    const entries = graded.get(level);
    if (entries === undefined) return [];
    const one = { level, entries, lesserIds: new Set(lesserIds) };
    for (const { id } of entries) lesserIds.add(id);
    return [one];
  });
}

function mergedGroup({ level, entries, lesserIds }: GradedGroup, sorted: SortedVersions): IndexedAdvisory {
  const own = entries.map(({ id }) => id).toSorted(compareIds);
  const also = entries.flatMap(({ aliases }) => aliases).filter((id) => !lesserIds.has(id));
  const ids = [...new Set([...own, ...also.toSorted()])];
  const affected = {
    ranges: entries.flatMap((one) => one.affected.ranges),
    versions: entries.flatMap((one) => one.affected.versions),
  };
  const isWhole = entries.some((one) => one.affected.isWhole === true);
  const { places, odd } = isWhole ? { places: [0, endless], odd: [] } : placedVersions(affected, sorted);
  return { ids: ids.slice(0, idsMax), level, places, odd };
}

/** Malware first, then what most people know it by. */
function compareIds(a: string, b: string): number {
  return rankOf(a) - rankOf(b) || (a < b ? -1 : a > b ? 1 : 0);
}

const prefixes = ['MAL-', 'GHSA-'];
function rankOf(id: string): number {
  const at = prefixes.findIndex((one) => id.startsWith(one));
  return at < 0 ? prefixes.length : at;
}
