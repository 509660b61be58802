// An archive of exchanges is one by the specification (HAR 1.2), and holds nothing that was not recorded.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { harOf } from '../../../src/console/model/har.ts';
import { event } from '../support/event.ts';

/** HAR 1.2, every member that it requires; names of others begin with an underscore. */
const custom = { _upstreamproxy: z.record(z.string(), z.unknown()) };
const pair = z.strictObject({ name: z.string(), value: z.string(), comment: z.string().optional() });
const stage = z.number().min(0).or(z.literal(-1));
const harSchema = z.strictObject({
  log: z.strictObject({
    version: z.literal('1.2'),
    creator: z.strictObject({ name: z.string(), version: z.string() }),
    entries: z.array(
      z.strictObject({
        startedDateTime: z.iso.datetime({ offset: true }),
        time: z.number().min(0),
        request: z.strictObject({
          method: z.string().min(1),
          url: z.url(),
          httpVersion: z.string(),
          cookies: z.array(z.never()),
          headers: z.array(pair),
          queryString: z.array(pair),
          headersSize: z.int(),
          bodySize: z.int(),
        }),
        response: z.strictObject({
          status: z.int(),
          statusText: z.string(),
          httpVersion: z.string(),
          cookies: z.array(z.never()),
          headers: z.array(pair),
          content: z.strictObject({ size: z.int(), mimeType: z.string() }),
          redirectURL: z.string(),
          headersSize: z.int(),
          bodySize: z.int(),
        }),
        cache: z.strictObject({}),
        timings: z.strictObject({
          blocked: stage,
          dns: stage,
          connect: stage,
          ssl: stage,
          send: z.number().min(0),
          wait: z.number().min(0),
          receive: z.number().min(0),
        }),
        serverIPAddress: z.string().optional(),
        comment: z.string().optional(),
        ...custom,
      }),
    ),
  }),
});

const times = {
  queuedMs: 1,
  decidedMs: 3,
  resolvedMs: 5,
  dialledMs: 9,
  securedMs: 15,
  sentMs: 16,
  firstByteMs: 40,
  lastByteMs: 50,
};

test('each request is an entry whose stages add up to its time, and a new connection is told from a kept one', () => {
  const events = [
    event('a', { times, durationMs: 50, address: '192.0.2.1', connection: 'new', port: 443 }),
    event('b', {
      times: { decidedMs: 2, sentMs: 3, firstByteMs: 8, lastByteMs: 9 },
      durationMs: 9,
      connection: 'kept',
    }),
    event('denied', { verdict: 'deny', status: 403, times: { decidedMs: 1 }, durationMs: 1 }),
    event('old', { path: '/\u202e x"\ud800?a=b\u0007&c' }),
    event('step', { kind: 'session', action: 'enrolled' }),
  ];
  const har = harSchema.parse(JSON.parse(JSON.stringify(harOf(events, '0.1.0'))));
  const { entries } = har.log;
  assert.equal(entries.length, 4);
  for (const { time, timings } of entries) {
    const { ssl: _, ...rest } = timings;
    assert.equal(
      Object.values(rest).reduce((sum, ms) => sum + Math.max(0, ms), 0),
      time,
    );
  }
  assert.deepEqual(entries[0]?.timings, {
    blocked: 3,
    dns: 2,
    connect: 10,
    ssl: 6,
    send: 1,
    wait: 24,
    receive: 10,
  });
  assert.deepEqual(entries[1]?.timings, {
    blocked: 2,
    dns: -1,
    connect: -1,
    ssl: -1,
    send: 1,
    wait: 5,
    receive: 1,
  });
  assert.deepEqual(
    entries.map(({ comment }) => comment),
    ['new connection', 'kept connection', undefined, undefined],
  );
  assert.deepEqual(entries[3]?.request.queryString, [
    { name: 'a', value: String.raw`b\u0007` },
    { name: 'c', value: '' },
  ]);
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  assert.doesNotMatch(JSON.stringify(entries), /[\u202e\u0007]/u);
});

test('what is ours is there by name', () => {
  const one = event('a', { injected: ['api-token'], rule: 'read' });
  const { entries } = harSchema.parse(JSON.parse(JSON.stringify(harOf([one], '1')))).log;
  assert.deepEqual(entries[0]?.['_upstreamproxy']['injected'], ['api-token']);
});
