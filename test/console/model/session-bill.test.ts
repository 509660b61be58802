import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sessionBill } from '../../../src/console/model/session-bill.ts';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { billEvents } from '../../support/package-events.ts';

test('the bill of a session is made of all pages of its events', async () => {
  const newestFirst = billEvents.toReversed();
  const asked: (string | undefined)[] = [];
  const bill = await sessionBill('s', (before) => {
    asked.push(before);
    const from = before === undefined ? 0 : Number(before);
    const items = newestFirst.slice(from, from + 4);
    const next = from + 4 < newestFirst.length ? { next: String(from + 4) } : {};
    return Promise.resolve({ items, ...next });
  });
  assert.deepEqual(asked, [undefined, '4', '8']);
  assert.equal(bill.isPartial, false);
  assert.deepEqual(
    bill.packages.map(({ name, version, requests }) => [name, version, requests]),
    [
      ['@acme/app', '1.0.0', 2],
      ['lodash', '4.17.21', 1],
    ],
  );
  assert.deepEqual([bill.hidden.length, bill.refused.length], [1, 1]);
});

test('of a session with very many events the last pages are looked at, and that is said', async () => {
  let pages = 0;
  const bill = await sessionBill('s', () => {
    pages += 1;
    return Promise.resolve({ items: billEvents, next: 'more' });
  });
  assert.deepEqual([pages, bill.isPartial], [10, true]);
});

test('with more packages than fit, those that fit are shown', async () => {
  const one = billEvents.find(({ package: facts }) => facts?.isArchive === true)!;
  const items = Array.from({ length: 1000 }, (_, i): AuditEvent => ({
    ...one,
    package: { ...one.package!, name: `package-${String(i)}` },
  }));
  let page = 0;
  const bill = await sessionBill('s', () => {
    page += 1;
    return Promise.resolve({
      items: items.map((event) => Object.assign({}, event, { host: `host-${String(page)}.test` })),
      next: 'more',
    });
  });
  assert.equal(bill.isPartial, true);
  assert.ok(bill.packages.length >= 1000);
});
