// What of an event is shown in one line, and the stages of its time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  markOf,
  methodOf,
  outcomeText,
  pathOf,
  refsOf,
  stepText,
} from '../../../src/console/model/event-facts.ts';
import { stagesOf } from '../../../src/console/model/exchange-stages.ts';
import { completionsAt } from '../../../src/console/model/filter-completion.ts';
import { event } from '../support/event.ts';

test('git reads as git, a step of a session as a sentence', () => {
  const push = event('a', {
    method: 'POST',
    path: '/acme/shop.git/git-receive-pack',
    git: {
      repository: 'acme/shop',
      operation: 'push',
      refs: [
        { ref: 'refs/heads/agent/fix', change: 'create' },
        { ref: 'refs/tags/v1', change: 'create' },
      ],
    },
  });
  assert.deepEqual(
    [methodOf(push), pathOf(push), refsOf(push)],
    ['push', '/acme/shop', 'agent/fix and 1 more'],
  );
  assert.equal(
    stepText(event('a', { kind: 'session', action: 'token_used_twice', message: 'it was refused' })),
    'Token used twice: it was refused',
  );
});

test('each outcome has a mark and a sentence', () => {
  for (const [changes, mark, sentence] of [
    [{}, 'allow', 'Allowed by read'],
    [{ verdict: 'deny', rule: 'default-deny' }, 'deny', 'Denied by default-deny'],
    [
      { verdict: 'error', errorCode: 'origin_unreachable' },
      'error',
      'Allowed by read, then failed: origin_unreachable',
    ],
    [
      { observed: 'default-deny' },
      'observe',
      'Let through by observe mode. default-deny would have denied it',
    ],
    [{ verdict: 'unknown' }, 'unknown', 'Not known: the gateway was ended before it was over'],
    [{ kind: 'alarm', action: 'token_used_twice', verdict: 'deny' }, 'alarm', 'Token used twice'],
  ] as const) {
    assert.equal(markOf(event('a', changes)), mark);
    assert.equal(outcomeText(event('a', changes)), sentence);
  }
});

test('a stage begins where the one before ended, and one that did not happen is not there', () => {
  const stages = stagesOf(
    event('a', { times: { queuedMs: 0.2, decidedMs: 0.3, sentMs: 2, firstByteMs: 1.5, lastByteMs: 9 } }),
  );
  assert.deepEqual(
    stages.map(({ name, startMs, endMs }) => [name, startMs, endMs]),
    [
      ['queue', 0, 0.2],
      ['decide', 0.2, 0.3],
      ['send', 0.3, 2],
      ['first byte', 1.5, 1.5],
      ['last byte', 2, 9],
    ],
  );
  assert.deepEqual(stagesOf(event('a')), []);
});

test('a word becomes a key, and behind it a value that events have, the most frequent first', () => {
  const events = [
    event('a'),
    event('b', { host: 'b.test' }),
    event('c', { host: 'b.test' }),
    event('d', { host: 'two words' }),
  ];
  assert.deepEqual(
    completionsAt('ho', 2, events).map(({ insert }) => insert),
    ['host:'],
  );
  assert.deepEqual(
    completionsAt('-host:', 6, events).map(({ insert, count }) => [insert, count]),
    [
      ['-host:b.test ', 2],
      ['-host:api.example.com ', 1],
      ['-host:"two words" ', 1],
    ],
  );
  assert.deepEqual(
    completionsAt('host:a rule:', 12, events).map(({ from }) => from),
    [7],
  );
  assert.deepEqual(completionsAt('"x', 2, events), []);
});
