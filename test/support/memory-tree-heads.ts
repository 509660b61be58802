// Newest heads of trees, in memory, for tests that need no store.

import type { TreeHeadStore } from '../../src/store/tree-head-store.ts';

export interface MemoryTreeHeads extends TreeHeadStore {
  readonly rows: Map<string, string>;
}

export function memoryTreeHeads(): MemoryTreeHeads {
  const rows = new Map<string, string>();
  return {
    rows,
    find: (key) => Promise.resolve(rows.get(key)),
    async advance(key, known, next) {
      const before = rows.get(key);
      if (before !== undefined && before !== known) return before;
      rows.set(key, next);
      return next;
    },
  };
}
