// Requests for access as an inbox, and what a grant would open.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Access,
  accessById,
  decidedBefore,
  decidedSoFar,
  groupsOf,
  begunTerms,
  narrowestTerms,
  openedText,
} from '../../../src/console/model/access-groups.ts';

function access(id: string, changes: Partial<Access> = {}): Access {
  return {
    id,
    session: 'red',
    principal: 'issuer|red',
    state: 'pending',
    asked: { scheme: 'https', host: 'api.example.com', port: 443, method: 'POST', path: '/v1/items' },
    reason: 'the task needs it',
    created: `2026-01-05T09:00:0${id}.000Z`,
    pendingUntil: '2026-01-05T10:00:00.000Z',
    ...changes,
  };
}

test('requests are grouped by destination, and a new one pushes no other down', () => {
  const other = { scheme: 'https', host: 'files.example.com', port: 8443 } as const;
  const first = [access('1'), access('2', { asked: other }), access('3', { session: 'blue' })];
  const groups = groupsOf(first);
  assert.deepEqual(
    groups.map(({ destination, items, sessions }) => [destination, items.length, sessions]),
    [
      ['api.example.com', 2, 2],
      ['files.example.com:8443', 1, 1],
    ],
  );
  const ids = (items: readonly Access[]): string =>
    groupsOf(items)
      .flatMap((group) => group.items.map(({ id }) => id))
      .join('');
  assert.equal(ids(first), '132');
  assert.equal(ids([access('4', { asked: { ...other, host: 'a.test' } }), ...first]), '1324');
});

test('the narrowest is what was asked for, and each scope says what it opens', () => {
  const whole = access('1', { asked: { scheme: 'http', host: 'a.test', port: 80 } });
  assert.deepEqual(narrowestTerms(access('1')), { scope: 'exact', subject: 'session', seconds: 900 });
  assert.equal(narrowestTerms(whole).scope, 'host');
  // Refs that a push was refused for are granted alone, where it may be one.
  assert.deepEqual(begunTerms(access('1'), ['refs/heads/x']), narrowestTerms(access('1')));
  const push = access('1');
  const asked = { ...push.asked, method: 'POST', path: '/acme/app.git/git-receive-pack' };
  assert.deepEqual(begunTerms({ ...push, asked }, ['refs/heads/x']).refs, ['refs/heads/x']);
  assert.equal(openedText(access('1'), 'exact'), 'POST https://api.example.com/v1/items');
  assert.equal(openedText(access('1'), 'path'), 'POST https://api.example.com/v1/items and all below it');
  assert.equal(openedText(whole, 'host'), 'Every method on http://a.test, every path');
});

test('how the same was decided before counts the same wish alone', () => {
  const terms = { scope: 'exact', subject: 'session', ends: '2026-01-05T09:30:00.000Z' } as const;
  const all = [
    access('1'),
    access('2', { state: 'granted', terms }),
    access('3', { state: 'denied' }),
    access('4', { state: 'denied', asked: { scheme: 'https', host: 'a.test', port: 443 } }),
  ];
  assert.deepEqual(decidedBefore(all, all[0]!), { granted: 1, denied: 1 });
});

test('of lists of different moments, what was decided holds', () => {
  const pending = [access('1'), access('2')];
  const granted = [access('1', { state: 'granted' })];
  const ended = [access('1', { state: 'ended' })];
  const states = (lists: readonly (readonly Access[])[]): readonly string[] =>
    [...accessById(lists).values()].map(({ id, state }) => `${id} ${state}`);
  assert.deepEqual(states([pending, granted]), ['1 granted', '2 pending']);
  assert.deepEqual(states([ended, granted, pending]), ['1 ended', '2 pending']);
});

test('several lists are one down to where one of them goes on behind what was asked for', () => {
  const denied = { items: [access('9'), access('5')], hasMore: true };
  const ended = { items: [access('8'), access('6'), access('2')], hasMore: false };
  const ids = (...lists: Parameters<typeof decidedSoFar>[0]): readonly string[] =>
    decidedSoFar(lists).map(({ id }) => id);
  // Below 5 there may be others that were denied.
  assert.deepEqual(ids(denied, ended), ['9', '8', '6', '5']);
  assert.deepEqual(ids({ ...denied, hasMore: false }, ended), ['9', '8', '6', '5', '2']);
  assert.deepEqual(ids({ items: [], hasMore: false }, ended), ['8', '6', '2']);
});
