// When versions of packages were seen first, of registries that do not say when they came out.

import type { BudgetOwner } from './budget-store.ts';

/** A package of one registry, as one set of credentials is told of it. */
export interface SeenPackage {
  readonly source: string;
  readonly name: string;
}

/** A version, or a file of one. */
export interface SeenItem {
  readonly item: string;
  /** What is promised of it. */
  readonly digest?: string;
}

export interface FirstSeen {
  readonly firstMs: number;
  /** The first that was told stays; empty where none was. */
  readonly digest: string;
}

/** A session that began by a token, with all that it made. */
export type SeenOwner = BudgetOwner;

export interface FirstSeenBounds {
  readonly nowMs: number;
  /** When they were seen, if that was before. */
  readonly firstMs?: number;
  /**
   * Of about so many without a digest the store knows. Beyond, those leave first that nobody asked for for `unusedMs`, and then those of who has the
   * most: nobody pushes out what others saw. Of one owner those leave first that nobody asked for on a later day, and then those unused longest.
   */
  readonly max: number;
  /** Of about so many with a digest, in the same way: neither kind takes the room of the other. */
  readonly promisedMax: number;
  readonly unusedMs: number;
  /** In whose name they are seen, and how many new ones that may be in one day. */
  readonly owner: SeenOwner;
  readonly ownerDayMax: number;
}

/** Rows of a registry, of a package of it, or of one version. */
export interface SeenRange {
  /** How their sources begin, to a comma or the end of a text in JSON. */
  readonly sources: string;
  readonly name?: string | undefined;
  /** A version, with the files below it. */
  readonly item?: string | undefined;
}

export interface SeenRow extends SeenPackage, FirstSeen {
  readonly item: string;
}

export interface SeenRows {
  /** By source, name and item. */
  readonly rows: readonly SeenRow[];
  /** Of how many these are the first. */
  readonly count: number;
}

export interface FirstSeenStore {
  /** Those that are known. */
  find(of: SeenPackage, items: readonly string[], nowMs: number): Promise<ReadonlyMap<string, FirstSeen>>;
  /** What is known of them by then: what is new was seen now, by whoever of several was first. What the owner may not add that day is not seen. */
  see(
    of: SeenPackage,
    items: readonly SeenItem[],
    bounds: FirstSeenBounds,
  ): Promise<ReadonlyMap<string, FirstSeen>>;
  /** The first `limit` of them. Nobody has used them by that. */
  list(range: SeenRange, limit: number): Promise<SeenRows>;
  /** Those that `list` gives are gone; gives how many. */
  forget(range: SeenRange, limit: number): Promise<number>;
}

/** How often it is noted that somebody asked. */
export const usedAgainMs = 86_400_000;

export const dayOf = (nowMs: number): number => Math.floor(nowMs / 86_400_000);

/** Counting all takes a while where there are many. */
export const countsBetween = 1_000;

/** So many of those with the most give some, of principals and of the sessions of each. */
export const largestOwners = 16;

/** What each gives so that all that give have the same then. @param counts what they have, the most first */
export function givenByLargest(counts: readonly number[], wanted: number): readonly number[] {
  let sum = 0;
  let level = 0;
  for (const [i, count] of counts.entries()) {
    sum += count;
    const next = counts[i + 1] ?? 0;
    level = Math.max(0, Math.ceil((sum - wanted) / (i + 1)));
    if (level >= next) break;
  }
  const given = counts.map((count) => Math.max(0, count - level));
  let missing = wanted - given.reduce((all, one) => all + one, 0);
  return given.map((one, i) => {
    const more = missing > 0 && one < (counts[i] ?? 0) ? 1 : 0;
    missing -= more;
    return one + more;
  });
}

/** Texts that begin so lie from it to that: its last letter is one of ASCII. */
export function behindPrefix(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return `${prefix.slice(0, -1)}${String.fromCharCode(last + 1)}`;
}
