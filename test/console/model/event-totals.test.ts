// Sums over what is held, and the words of a posture.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventTotals } from '../../../src/console/model/event-totals.ts';
import { postureOf } from '../../../src/console/model/posture-words.ts';
import { postureFacts } from '../../../src/policy/posture-facts.ts';
import { event } from '../support/event.ts';

test('each event counts once, for its session, rule and credential, as many times as it stands for', () => {
  const totals = new EventTotals();
  const events = [
    event('a', { injected: ['key'] }),
    event('b', { verdict: 'deny', rule: 'default-deny', count: 40, sessionId: 'blue' }),
    event('c', { verdict: 'error', errorCode: 'origin_unreachable', injected: ['key'] }),
    event('d', { kind: 'session', action: 'enrolled' }),
  ];
  totals.extend(events.slice(0, 2));
  totals.extend(events);
  totals.extend(events);
  const { passed, denied, failed } = totals.all;
  assert.deepEqual([passed, denied, failed], [1, 40, 1]);
  assert.equal(totals.bySession.get('blue')?.denied, 40);
  assert.deepEqual(totals.byCredential.get('key')?.lastError, 'origin_unreachable');
  assert.deepEqual(totals.deniedMost(3), [{ host: 'api.example.com', rule: 'default-deny', count: 40 }]);
  assert.deepEqual(totals.allowedMost(3), [{ host: 'api.example.com', rule: 'read', count: 2 }]);
});

test('every fact that a policy can ask for has words, and one of another version is shown too', () => {
  assert.deepEqual(
    postureOf([])
      .map(({ name }) => name)
      .toSorted(),
    postureFacts.filter((name) => name !== 'token-in-container').toSorted(),
  );
  const holdsNone = (holding: readonly string[]) =>
    postureOf(holding).find(({ name }) => name === 'no-token-in-container')?.holds;
  assert.deepEqual([holdsNone([]), holdsNone(['token-in-container'])], [true, false]);
  const later = postureOf(['jailed', 'later']);
  assert.deepEqual(
    later.filter(({ holds }) => holds).map(({ name }) => name),
    ['jailed', 'no-token-in-container', 'later'],
  );
});
