// Versions that were seen, in memory, for tests that need no store and let time pass.

import type { FirstSeen, FirstSeenStore, SeenPackage } from '../../src/store/first-seen-store.ts';

interface MemoryFirstSeen extends FirstSeenStore {
  readonly rows: Map<string, FirstSeen>;
  /** Everything was seen so much earlier. */
  age(ms: number): void;
}

export function memoryFirstSeen(): MemoryFirstSeen {
  const rows = new Map<string, FirstSeen>();
  const added = new Map<string, number>();
  // A registry that is opened again is at another port.
  const keyOf = ({ source, name }: SeenPackage, item: string): string =>
    `${source.replace(/,\d+,/, ',')} ${name} ${item}`;
  const find = (of: SeenPackage, items: readonly string[]): ReadonlyMap<string, FirstSeen> =>
    new Map(
      items.flatMap((item) => {
        const found = rows.get(keyOf(of, item));
        return found === undefined ? [] : [[item, found] as const];
      }),
    );
  return {
    rows,
    age: (ms) => {
      for (const [key, { firstMs, digest }] of rows) rows.set(key, { firstMs: firstMs - ms, digest });
    },
    find: async (of, items) => find(of, items),
    list: () => Promise.resolve({ rows: [], count: 0 }),
    async forget() {
      const { size } = rows;
      rows.clear();
      return size;
    },
    async see(of, items, { nowMs, firstMs = nowMs, owner: { sessionId }, ownerDayMax }) {
      for (const { item, digest = '' } of items) {
        const before = rows.get(keyOf(of, item));
        const count = added.get(sessionId) ?? 0;
        if (before !== undefined || count >= ownerDayMax) continue;
        added.set(sessionId, count + 1);
        rows.set(keyOf(of, item), { firstMs, digest });
      }
      return find(
        of,
        items.map(({ item }) => item),
      );
    },
  };
}
