// Bounds of what the index says of one package. Whoever writes a record can name any number of versions, and gateways read all that stands there
// when one is asked for: what does not fit is about every version.

import { defaultLimits } from '../../../protocol/limits.ts';
import { type IndexedPackage, packageLine } from '../../../understand/packages/advisory-index.ts';
import { type AffectedVersions, endless } from '../../../understand/packages/affected-versions.ts';
import type { AdvisoryEntry } from './merged-advisories.ts';

/** Those that name the fewest versions stay as they are. */
export function boundedEntries(entries: readonly AdvisoryEntry[]): readonly AdvisoryEntry[] {
  const named = entries.map((entry) => ({ entry, versions: versionsIn(entry.affected) }));
  const all = new Set<string>();
  const whole = new Set<AdvisoryEntry>();
  for (const { entry, versions } of named.toSorted((a, b) => a.versions.size - b.versions.size)) {
    const fresh = [...versions].filter((one) => !all.has(one));
    if (all.size + fresh.length > defaultLimits.advisoryVersionsMax) whole.add(entry);
    else for (const one of fresh) all.add(one);
  }
  if (whole.size === 0) return entries;
  return entries.map((one) =>
    whole.has(one) ? { ...one, affected: { ranges: [], versions: [], isWhole: true } } : one,
  );
}

function versionsIn({ ranges, versions }: AffectedVersions): ReadonlySet<string> {
  const named = new Set(versions);
  for (const events of ranges)
    for (const { introduced, fixed, last_affected: last, limit } of events)
      for (const one of [introduced, fixed, last, limit]) if (one !== undefined) named.add(one);
  return named;
}

/** The line of a package. A gateway lets nothing through of one whose line is still too long. */
export function boundedLine(key: string, known: IndexedPackage): string {
  const line = packageLine(key, known);
  let over = Buffer.byteLength(line) - defaultLimits.advisoryPackageBytesMax;
  if (over <= 0) return line;
  const sized = known.advisories.map((one) => {
    const wide = { ...one, places: [0, endless], odd: [] };
    return { one, wide, saved: bytesOf(one) - bytesOf(wide) };
  });
  const widened = new Map<IndexedPackage['advisories'][number], (typeof known.advisories)[number]>();
  for (const { one, wide, saved } of sized.toSorted((a, b) => b.saved - a.saved)) {
    if (over <= 0) break;
    widened.set(one, wide);
    over -= saved;
  }
  const advisories = known.advisories.map((one) => widened.get(one) ?? one);
  return packageLine(key, { bounds: known.bounds, advisories });
}

const bytesOf = (one: IndexedPackage['advisories'][number]): number =>
  Buffer.byteLength(JSON.stringify([one.places, one.odd]));
