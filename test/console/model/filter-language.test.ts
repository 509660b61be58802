// The filter of the live list: what is read from a text, and which events it lets through.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { filterMatcher, parseFilter, valueOf, withTerm } from '../../../src/console/model/filter-language.ts';
import { randomTexts } from '../support/random-texts.ts';
import { event } from '../support/event.ts';

const nowMs = Date.parse('2026-01-05T09:10:00.000Z');

const events: readonly AuditEvent[] = [
  event('a', {
    host: 'api.example.com',
    path: '/v1/items?page=1',
    durationMs: 2500,
    time: '2026-01-05T09:09:00.000Z',
  }),
  event('b', {
    host: 'registry.example',
    path: '/simple/left-pad',
    verdict: 'deny',
    status: 403,
    durationMs: 4,
    time: '2026-01-05T08:00:00.000Z',
  }),
  event('c', {
    host: 'github.com',
    method: 'POST',
    git: { repository: 'acme/shop', operation: 'push', refs: [{ ref: 'refs/heads/main', change: 'update' }] },
    injected: ['git-token'],
    responseBytes: 2_000_000,
    time: '2026-01-05T09:09:30.000Z',
  }),
  event('d', {
    sessionId: 'agent-77',
    verdict: 'error',
    errorCode: 'origin_unreachable',
    status: 502,
    observed: 'later',
    time: '2026-01-05T09:09:59.000Z',
    traceId: 'c94b760cc90d7ac63d2afa2e91721192',
  }),
];

function found(text: string): string {
  const filter = parseFilter(text);
  assert.deepEqual(filter.problems, [], text);
  return events
    .filter(filterMatcher(filter, { nowMs }))
    .map(({ id }) => id)
    .join('');
}

test('a filter is key, value and what stands between them', () => {
  for (const [text, ids] of [
    ['', 'abcd'],
    ['verdict:deny', 'b'],
    ['verdict:denied,failed', 'bd'],
    ['-verdict:deny', 'acd'],
    ['host:*.example.com', 'ad'],
    ['host:API.example.com path:/v1/items', 'ad'],
    ['path:/simple/*', 'b'],
    ['-path:/simple/* method:GET', 'ad'],
    ['took:>2s', 'a'],
    ['took:<=4', 'b'],
    ['received:>1.5MB', 'c'],
    ['status:4*', 'b'],
    ['status:>=400', 'bd'],
    ['git.ref:refs/heads/*', 'c'],
    ['git.repository:acme/*', 'c'],
    ['credential:*', 'c'],
    ['observed:*', 'd'],
    ['session:agent-*', 'd'],
    ['trace:C94B', 'd'],
    ['since:5m', 'acd'],
    ['until:2026-01-05T09:00:00Z', 'b'],
    ['left', 'b'],
    ['-github', 'abd'],
    ['"left-pad"', 'b'],
    ['https://nowhere', ''],
    ['error:origin_unreachable', 'd'],
  ] as const)
    assert.equal(found(text), ids, text);
});

test('what says nothing is named, and the rest applies', () => {
  const filter = parseFilter('colour:red verdict:deny took:long status:');
  assert.equal(filter.problems.length, 3);
  assert.match(filter.problems[0] ?? '', /"colour"/);
  assert.deepEqual(
    events.filter(filterMatcher(filter, { nowMs })).map(({ id }) => id),
    ['b'],
  );
});

test('a choice replaces the one before it and leaves the rest', () => {
  assert.equal(withTerm('host:a verdict:deny took:>2s', 'verdict', 'error'), 'host:a took:>2s verdict:error');
  assert.equal(withTerm('verdict:deny', 'verdict', undefined), '');
  assert.equal(withTerm('', 'rule', 'two words'), 'rule:"two words"');
  assert.equal(withTerm('host:a', 'host', 'b', true), 'host:a -host:b');
  assert.equal(valueOf(parseFilter('verdict:deny host:a,b'), 'verdict'), 'deny');
  assert.equal(valueOf(parseFilter('verdict:deny host:a,b'), 'host'), undefined);
});

test('no text is a fault, each term stands where it says, and a long one is read as fast', () => {
  for (const text of randomTexts({ seed: 16, count: 2000, lengthMax: 60 })) {
    const filter = parseFilter(text);
    for (const term of filter.terms) assert.ok(term.start < term.end && term.end <= text.length);
    for (const one of events) filterMatcher(filter, { nowMs })(one);
    parseFilter(withTerm(text, 'rule', text));
  }
  const steps = (count: number): number => {
    const filter = parseFilter(`path:${'a*'.repeat(count)}b`);
    const long = event('x', { path: 'a'.repeat(20_000) });
    const started = process.cpuUsage();
    for (let round = 0; round < 20; round += 1) assert.equal(filterMatcher(filter, { nowMs })(long), false);
    const { user, system } = process.cpuUsage(started);
    return user + system;
  };
  steps(10);
  assert.ok(steps(900) < 100 * (steps(10) + 5000));
});
