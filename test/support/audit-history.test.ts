// The checker finds what it is there for: an event that is removed, doubled, changed, swapped or made up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuditHistory } from './audit-history.ts';

const event = (path: string, status = 200) => ({ id: path, kind: 'exchange', path, status });

test('a history that agrees is taken, and each kind of fault is found', async () => {
  const history = new AuditHistory();
  const both = Promise.withResolvers<number>();
  await history.request('/a', async () => 200);
  const [b, c] = ['/b', '/c'].map((path) => history.request(path, () => both.promise));
  both.resolve(200);
  await Promise.all([b, c]);
  await assert.rejects(history.request('/failed', () => Promise.reject(new Error('cut'))));
  await history.request('/d', async () => 404);
  const right = [event('/a'), event('/c'), event('/b'), event('/d', 404)];
  history.check(right);
  history.check([...right, event('/failed')]);
  assert.deepEqual(history.counts, { requests: 5, failed: 1 });
  const [first, second, third, last] = right;
  assert.ok(first && second && third && last);
  for (const [wrong, why] of [
    [[first, second, last], /no event/],
    [[first, second, second, third, last], /twice/],
    [[first, second, { ...second, id: 'x' }, third, last], /2 events/],
    [[{ ...first, status: 500 }, second, third, last], /another outcome/],
    [[second, first, third, last], /was over before/],
    [[first, second, last, third], /was over before/],
    [[...right, event('/of-nobody')], /nobody asked/],
  ] as const)
    assert.throws(() => history.check(wrong), why);
  assert.throws(() => history.check(right, new Set(['/failed'])), /reached its origin and has no event/);
  assert.throws(() => history.check(right, new Set(['/never'])), /nobody asked/);
  history.check([...right, event('/failed', 502)], new Set(['/a', '/failed']));
});
