// What every engine of the store must do with versions that were seen; part of the suite in store.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FirstSeen, FirstSeenBounds, SeenOwner } from '../../src/store/first-seen-store.ts';
import type { Store } from '../../src/store/store.ts';

const of = { source: 'registry', name: 'a' };
const dayMs = 86_400_000;
const owner = (sessionId: string, principalId = 'principal'): SeenOwner => ({ sessionId, principalId });
const bounds = (nowMs: number, max = 1000, changes: Partial<FirstSeenBounds> = {}): FirstSeenBounds => ({
  nowMs,
  max,
  promisedMax: max,
  unusedMs: 30 * dayMs,
  owner: owner('session'),
  ownerDayMax: 1_000_000,
  ...changes,
});
const seen = (firstMs: number, digest = ''): FirstSeen => ({ firstMs, digest });

export function firstSeenConformance(open: () => Promise<Store>): void {
  test('what is seen keeps the time at which it was seen first, and the first digest that was told', async () => {
    await using store = await open();
    const { firstSeen } = store;
    assert.equal((await firstSeen.find(of, ['1', '2'], 5)).size, 0);
    const both = [{ item: '1' }, { item: '2', digest: 'x' }];
    const first = await firstSeen.see(of, both, bounds(10));
    assert.deepEqual(Object.fromEntries(first), { 1: seen(10), 2: seen(10, 'x') });
    const later = await firstSeen.see(
      of,
      [{ item: '1', digest: 'y' }, { item: '2', digest: 'z' }, { item: '3' }, { item: '2' }],
      bounds(20),
    );
    const known = { 1: seen(10, 'y'), 2: seen(10, 'x'), 3: seen(20) };
    assert.deepEqual(Object.fromEntries(later), known);
    assert.deepEqual(Object.fromEntries(await firstSeen.find(of, ['1', '2', '3', '4'], 30)), known);
    assert.equal((await firstSeen.see(of, [], bounds(20))).size, 0);
  });

  test('what was fixed before was seen then, in the name of who asks now', async () => {
    await using store = await open();
    const { firstSeen } = store;
    await firstSeen.see(of, [{ item: '1' }], bounds(5 * dayMs));
    const before = bounds(5 * dayMs, 1000, { firstMs: dayMs, ownerDayMax: 2 });
    const parts = await firstSeen.see(of, [{ item: '1' }, { item: '2' }, { item: '3' }], before);
    // Two of that day, whenever they were fixed.
    assert.deepEqual(Object.fromEntries(parts), { 1: seen(5 * dayMs), 2: seen(dayMs) });
  });

  test('versions of one package, or of one registry, are not those of another', async () => {
    await using store = await open();
    await store.firstSeen.see(of, [{ item: '1' }], bounds(10));
    for (const other of [
      { ...of, name: 'A' },
      { ...of, source: 'another' },
    ])
      assert.equal((await store.firstSeen.find(other, ['1'], 10)).size, 0);
  });

  test('where there are too many, those leave first that nobody asked for on a later day, and the one unused longest', async () => {
    await using store = await open();
    const { firstSeen } = store;
    const items = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => ({ item: String(from + i) }));
    await firstSeen.see(of, items(0, 3), bounds(0));
    // 0 and 1 are asked for on later days, 1 last.
    await firstSeen.find(of, ['0'], dayMs);
    await firstSeen.find(of, ['1'], 2 * dayMs);
    for (let from = 3; from < 1203; from += 300)
      await firstSeen.see(of, items(from, from + 300), bounds(3 * dayMs, 1100));
    const left = await firstSeen.find(
      of,
      [...items(0, 1203)].map(({ item }) => item),
      3 * dayMs,
    );
    assert.equal(left.size, 1100);
    assert.deepEqual(
      ['0', '1', '2'].map((one) => left.has(one)),
      [true, true, false],
    );
    const store2 = { ...of, name: 'b' };
    await firstSeen.see(store2, items(0, 1001), bounds(3 * dayMs, 1));
    await firstSeen.see(store2, items(1001, 2002), bounds(3 * dayMs, 1));
    assert.ok((await firstSeen.find(of, ['1'], 3 * dayMs)).size === 1, 'what is used stays');
  });

  test('what one session sees in a day ends at its bound; what it saw before, and what others see, does not', async () => {
    await using store = await open();
    const { firstSeen } = store;
    const see = async (name: string, names: readonly string[], nowMs: number): Promise<readonly string[]> => {
      const items = names.map((item) => ({ item, digest: 'x' }));
      return [
        ...(
          await firstSeen.see(of, items, bounds(nowMs, 1000, { owner: owner(name), ownerDayMax: 3 }))
        ).keys(),
      ];
    };
    assert.deepEqual(await see('a', ['1', '2'], 10), ['1', '2']);
    assert.deepEqual((await see('a', ['1', '3', '4', '5'], 20)).toSorted(), ['1', '3']);
    assert.deepEqual(await see('a', ['6'], dayMs - 1), []);
    assert.deepEqual(await see('b', ['6', '7'], dayMs - 1), ['6', '7']);
    assert.deepEqual(await see('a', ['8'], dayMs), ['8'], 'the next day');
    assert.deepEqual((await firstSeen.find(of, ['4', '5'], dayMs)).size, 0);
  });

  test('who sees very many pushes out what it saw itself, and neither what other sessions nor what other principals saw', async () => {
    await using store = await open();
    const { firstSeen } = store;
    const room = 1500;
    const see = async (name: string, who: SeenOwner, count: number, nowMs: number): Promise<void> => {
      const items = Array.from({ length: count }, (_, i) => ({ item: String(i) }));
      await firstSeen.see({ ...of, name }, items, bounds(nowMs, room, { owner: who }));
    };
    const left = async (name: string): Promise<number> => {
      const { count } = await firstSeen.list({ sources: 'registry', name }, 0);
      return count;
    };
    await see('builds', owner('builds'), 50, 1);
    await see('ci', owner('ci', 'ci'), 700, 2);
    // Ten sessions of one principal, each with more than any other of it, and then one of the other.
    for (let i = 0; i < 10; i += 1) await see(`flood${String(i)}`, owner(`flood${String(i)}`), 400, 3 + i);
    assert.equal(await left('builds'), 50, 'less than each of those that flood');
    assert.ok((await left('ci')) >= 700, 'its principal has less');
    await see('late', owner('late', 'late'), 300, 20);
    await see('more', owner('more'), 1100, 21);
    assert.equal(await left('late'), 300, 'what is new is not what leaves');
    assert.equal(await left('ci'), 700);
    assert.equal(await left('builds'), 50);
  });

  test('what nobody asked for for long leaves before what is used, whoever saw more', async () => {
    await using store = await open();
    const { firstSeen } = store;
    const see = async (name: string, count: number, nowMs: number): Promise<void> => {
      const items = Array.from({ length: count }, (_, i) => ({ item: String(i) }));
      await firstSeen.see({ ...of, name }, items, bounds(nowMs, 1200, { owner: owner(name) }));
    };
    await see('old', 100, 0);
    await see('again', 50, 0);
    await firstSeen.find({ ...of, name: 'again' }, ['7'], 10 * dayMs);
    await see('large', 1101, 39 * dayMs);
    const items = Array.from({ length: 100 }, (_, i) => String(i));
    const nowMs = 39 * dayMs;
    const old = await firstSeen.find({ ...of, name: 'old' }, items, nowMs);
    const again = await firstSeen.find({ ...of, name: 'again' }, items, nowMs);
    assert.equal(old.size + again.size, 99, 'as many as there was room for');
    assert.ok(again.has('7'));
  });

  test('of what is promised, and of what is not, each leaves for its own kind alone', async () => {
    await using store = await open();
    const { firstSeen } = store;
    await firstSeen.see(of, [{ item: 'jar', digest: 'x' }], bounds(0, 1));
    await firstSeen.see(of, [{ item: 'version' }], bounds(0, 1));
    const others = { ...of, name: 'b' };
    const many = (digest: string) =>
      Array.from({ length: 1100 }, (_, i) => ({ item: `${digest}${String(i)}`, digest }));
    await firstSeen.see(others, many(''), bounds(10, 1));
    const left = async () => [...(await firstSeen.find(of, ['jar', 'version'], 10)).keys()];
    assert.deepEqual(await left(), ['jar']);
    await firstSeen.see(others, many('x'), bounds(20, 1));
    assert.deepEqual(await left(), []);
  });

  test('what an operator names is listed in its order, and forgotten up to a bound; nothing beside it is', async () => {
    await using store = await open();
    const { firstSeen } = store;
    const of2 = (source: string, name: string) => ({ source, name });
    const rows = [
      ['["go","https","a.test",443,""]', 'a.test/m', 'v1.0.0'],
      ['["go","https","a.test",443,""]', 'a.test/m', 'v1.0.0-rc.1'],
      ['["go","https","a.test",443,""]', 'a.test/n', 'v1.0.0'],
      ['["go","https","a.test",443,"","key"]', 'a.test/m', 'v1.0.0'],
      ['["go","https","a.test",443,"/x"]', 'a.test/m', 'v1.0.0'],
      ['["go","https","a.test.b",443,""]', 'a.test/m', 'v1.0.0'],
      ['["maven","https","a.test",443,""]', 'g:a', '1.0/a.jar'],
      ['["maven","https","a.test",443,""]', 'g:a', '1.0.1/a.jar'],
    ] as const;
    for (const [i, [source, name, item]] of rows.entries())
      await firstSeen.see(of2(source, name), [{ item, digest: 'd' }], bounds(10 + i));
    const at = '["go","https","a.test",443,""';
    const listed = async (range: Parameters<typeof firstSeen.list>[0], limit = 10) => {
      const found = await firstSeen.list(range, limit);
      return [found.count, ...found.rows.map(({ source, name, item }) => [source, name, item])];
    };
    // A comma stands before the end of a list, octet by octet.
    assert.deepEqual(await listed({ sources: at }), [4, rows[3], rows[0], rows[1], rows[2]]);
    assert.deepEqual(await listed({ sources: at }, 1), [4, rows[3]]);
    assert.deepEqual(await listed({ sources: at, name: 'a.test/m', item: 'v1.0.0' }), [2, rows[3], rows[0]]);
    assert.deepEqual(await listed({ sources: '["maven",', item: '1.0' }), [1, rows[6]]);
    assert.deepEqual(await listed({ sources: '["maven",', name: 'g' }), [0]);
    assert.deepEqual((await firstSeen.list({ sources: at }, 1)).rows, [
      { ...of2(rows[3][0], rows[3][1]), item: rows[3][2], firstMs: 13, digest: 'd' },
    ]);
    assert.equal(await firstSeen.forget({ sources: at, name: 'a.test/m' }, 2), 2);
    assert.deepEqual(await listed({ sources: '["go",' }), [4, rows[1], rows[2], rows[4], rows[5]]);
    assert.equal(await firstSeen.forget({ sources: '["maven",', name: 'g:a', item: '1.0' }, 10), 1);
    assert.equal(await firstSeen.forget({ sources: '["maven",', name: 'g:a', item: '1.0' }, 10), 0);
    assert.deepEqual(await listed({ sources: '["' }), [5, rows[1], rows[2], rows[4], rows[5], rows[7]]);
    // It is new, and so is what is promised of it.
    const again = await firstSeen.see(
      of2(rows[6][0], 'g:a'),
      [{ item: '1.0/a.jar', digest: 'e' }],
      bounds(99),
    );
    assert.deepEqual(again.get('1.0/a.jar'), seen(99, 'e'));
  });

  test('of two gateways that see a version at once, one is first for both', async () => {
    await using store = await open();
    const items = Array.from({ length: 50 }, (_, i) => ({ item: String(i) }));
    const [one, other] = await Promise.all([
      store.firstSeen.see(of, items, bounds(10)),
      store.firstSeen.see(of, items.toReversed(), bounds(20)),
    ]);
    for (const { item } of items) assert.deepEqual(one?.get(item), other?.get(item));
  });
}
