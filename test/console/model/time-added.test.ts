import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TimeAdded } from '../../../src/console/model/time-added.ts';
import { event } from '../support/event.ts';

const at = (minute: number, decidedMs?: number) =>
  event('e', {
    time: new Date(minute * 60_000).toISOString(),
    ...(decidedMs === undefined ? {} : { times: { decidedMs } }),
  });
const close = (found: number | undefined, wanted: number): void =>
  assert.ok(
    found !== undefined && found >= wanted * 0.99 && found <= wanted * 1.21,
    `${found} for ${wanted}`,
  );

test('half, 95 and 99 of a hundred are told within a fifth, of each time apart', () => {
  const added = new TimeAdded();
  for (let n = 1; n <= 100; n += 1) added.take(at(10, n));
  added.take(at(11, 400));
  const [first, second, ...more] = added.points(12 * 60_000 - 1, 5, 1);
  assert.deepEqual([first?.count, second?.count, more.length], [100, 1, 0]);
  close(first?.p50, 50);
  close(first?.p95, 95);
  close(first?.p99, 99);
  close(second?.p50, 400);
  close(added.whole(0, 20 * 60_000)?.p99, 100);
});

test('what was not decided is not counted, and nothing is nothing and not 0', () => {
  const added = new TimeAdded();
  added.take(at(10));
  added.take({ ...at(10, 5), kind: 'session' });
  assert.deepEqual(added.points(12 * 60_000, 5, 1), []);
  assert.equal(added.whole(0, 20 * 60_000), undefined);
  added.take(at(10, 0));
  added.take(at(10, 1e9));
  assert.ok((added.whole(0, 20 * 60_000)?.p50 ?? 1) <= 0.01);
});
