// Against Map and Set, by operations in an order that chance chose.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { NumberTable, Roster, type RosterPlace, slotOf } from '../../src/protocol/roster.ts';

const operations = fc.array(
  fc.tuple(fc.constantFrom('set', 'delete', 'get'), fc.integer({ min: 1, max: 60 })),
  {
    maxLength: 400,
  },
);

test('a table of numbers is a Map', () => {
  fc.assert(
    fc.property(operations, fc.integer({ min: 1, max: 2 ** 25 }), (list, factor) => {
      const [table, map] = [new NumberTable<string>(), new Map<number, string>()];
      for (const [at, [what, small]] of list.entries()) {
        const key = small * factor;
        if (what === 'set') {
          table.set(key, `${at}`);
          map.set(key, `${at}`);
        } else if (what === 'delete') assert.equal(table.delete(key), map.delete(key));
        assert.equal(table.get(key), map.get(key));
        assert.equal(table.size, map.size);
      }
      const inOrder = [...map].sort(([a], [b]) => a - b).map(([, value]) => value);
      assert.deepEqual(table.values, inOrder);
      for (const [key, value] of map) assert.equal(table.get(key), value);
    }),
    { seed: 20261128, numRuns: 300 },
  );
});

test('numbers that go up, as streams of a tunnel have them, and what stays of them', () => {
  const [table, map] = [new NumberTable<number>(), new Map<number, number>()];
  for (let key = 1; key < 20_000; key += 1) {
    table.set(key, key);
    map.set(key, key);
    if (key > 40 && key % 97 !== 0) assert.equal(table.delete(key - 40), map.delete(key - 40));
  }
  assert.equal(table.size, map.size);
  for (const key of map.keys()) assert.equal(table.get(key), key);
  assert.equal(table.get(20_000), undefined);
  // Down to none, and from there on again.
  for (const key of map.keys()) assert.ok(table.delete(key));
  assert.deepEqual([table.size, table.values], [0, []]);
  table.set(7, 8);
  assert.deepEqual([table.get(7), table.get(97), table.values], [8, undefined, [8]]);
});

test('numbers that follow each other share few slots, whatever the seed', () => {
  const [slots, shift] = [1024, 22];
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      fc.integer({ min: 1, max: 2 ** 30 }),
      (seed, first) => {
        const counts = Array.from({ length: slots }, () => 0);
        for (let key = first; key < first + slots / 2; key += 1) counts[slotOf(key, seed, shift)]! += 1;
        assert.ok(Math.max(...counts) <= 4, `${Math.max(...counts)} in one slot`);
      },
    ),
    { seed: 20261128, numRuns: 500 },
  );
});

test('a roster is a Set, whose members can be taken out while somebody goes through them', () => {
  fc.assert(
    fc.property(operations, (list) => {
      const [roster, set] = [new Roster<number>(), new Set<number>()];
      const places = new Map<number, RosterPlace<number>>();
      for (const [what, member] of list) {
        const place = places.get(member);
        if (what === 'set' && !set.has(member)) {
          places.set(member, roster.add(member));
          set.add(member);
        } else if (what === 'delete' && place !== undefined) {
          roster.remove(place);
          set.delete(member);
        }
        assert.equal(roster.size, set.size);
      }
      assert.deepEqual(new Set(roster.members), set);
      for (const member of roster.members) roster.remove(places.get(member) ?? { member, at: undefined });
      assert.equal(roster.size, 0);
    }),
    { seed: 20261128, numRuns: 200 },
  );
});
