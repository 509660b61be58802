// Lists of which some is theirs who ask: everything of theirs is told, bounded page by page, and nobody else is named.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { placeOfCursor, seenList } from '../../../src/gateway/admin/seen-list.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { ListPlace } from '../../../src/store/list-place.ts';

const { adminScannedEventsMax: scannedMax, adminListedMax: listedMax } = defaultLimits;

interface One extends ListPlace {
  readonly isTheirs: boolean;
}

/** In the order of a list: the newer half has more of theirs than one page, the older one fewer than one look; several share a moment. */
const all: readonly One[] = Array.from({ length: scannedMax * 2.5 }, (_, i) => ({
  ms: Date.UTC(2026, 0) - (i >> 2),
  id: `s${String(9 - (i & 3))}-${i}`,
  isTheirs: i % (i < scannedMax / 2 ? 5 : 100) === 0,
}));

const isBehind = (one: ListPlace, { ms, id }: ListPlace): boolean =>
  one.ms < ms || (one.ms === ms && one.id < id);

test('pages have everything of theirs once, each looks at so many, and a cursor names nothing else', async () => {
  const byId = new Map(all.map((one) => [one.id, one]));
  const told: One[] = [];
  const pages: number[] = [];
  let next: string | undefined;
  do {
    let looked = 0;
    const before = await placeOfCursor(next, (id) => {
      const found = byId.get(id);
      assert.equal(found?.isTheirs, true);
      return Promise.resolve(found as One);
    });
    const first = before === undefined ? 0 : all.findIndex((one) => isBehind(one, before));
    const list = await seenList<One>({
      before,
      page: (from, limit) => {
        const start = from === undefined ? 0 : all.findIndex((one) => isBehind(one, from));
        const page = start < 0 ? [] : all.slice(start, start + limit);
        looked += page.length;
        return Promise.resolve(page);
      },
      placeOf: (one) => one,
      sees: ({ isTheirs }) => isTheirs,
    });
    assert.ok(first >= 0 && looked <= scannedMax + 1000, `${looked}`);
    told.push(...list.items);
    pages.push(list.items.length);
    ({ next } = list);
  } while (next !== undefined);
  assert.deepEqual(
    told,
    all.filter(({ isTheirs }) => isTheirs),
  );
  assert.equal(pages[0], listedMax);
  assert.ok(pages.length > 3 && (pages[2] ?? 0) < listedMax, pages.join(' '));
});
