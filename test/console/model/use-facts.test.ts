import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UseTable } from '../../../src/console/model/use-facts.ts';

const nowMs = Date.parse('2026-03-31T12:00:00.000Z');
const ago = (days: number): string => new Date(nowMs - days * 86_400_000).toISOString();
const none = { allowed: 0, denied: 0, failed: 0 };
const table = new UseTable({
  since: ago(90),
  items: [
    {
      name: 'read',
      policy: 'main',
      uses: 9,
      lastUsed: ago(0),
      recent: { allowed: 2_220_000, denied: 4, failed: 0 },
    },
    { name: 'read', uses: 9, lastUsed: ago(3), recent: none },
    { name: 'old', uses: 1, lastUsed: ago(31), recent: none },
  ],
});

test('use is told of the rule of that policy: in 24 hours, or when it was last', () => {
  assert.equal(table.textOf({ name: 'read', policy: 'main' }, nowMs), '2.22 M allowed, 4 denied in 24 h');
  assert.match(table.textOf({ name: 'read' }, nowMs), /^last 2026-03-28 /);
  assert.match(table.textOf({ name: 'never' }, nowMs), /^not used since 2025-12-31 /);
});

test('a rule is one that nobody used after 30 days, and where nothing is counted nothing is said of it', () => {
  assert.equal(table.unusedSince({ name: 'read' }, nowMs), undefined);
  assert.equal(table.unusedSince({ name: 'old' }, nowMs), Date.parse(ago(31)));
  assert.equal(table.unusedSince({ name: 'never' }, nowMs), Date.parse(ago(90)));
  const blind = new UseTable({ items: [] });
  assert.equal(blind.unusedSince({ name: 'never' }, nowMs), undefined);
  assert.equal(blind.textOf({ name: 'never' }, nowMs), 'not counted yet');
});
