import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { exchangeSpans } from '../../../src/gateway/telemetry/exchange-spans.ts';
import { isSampled, spanIdOf } from '../../../src/gateway/telemetry/trace-sampling.ts';

const traceId = '0123456789abcdef0123456789abcdef';
const beganMs = Date.parse('2030-01-01T00:00:00.000Z');
const event: AuditEvent = {
  v: 1,
  id: 'e',
  time: '2030-01-01T00:00:00.000Z',
  kind: 'exchange',
  traceId,
  verdict: 'allow',
  sessionId: 's',
  rule: 'api',
  method: 'GET',
  scheme: 'https',
  host: 'api.test',
  port: 443,
  path: '/items/1?key=s3cret&x=y',
  protocol: 'h2',
  upstreamProtocol: 'http/1.1',
  address: '192.0.2.1',
  connection: 'new',
  status: 200,
  times: {
    queuedMs: 1,
    decidedMs: 2,
    resolvedMs: 4,
    dialledMs: 9,
    securedMs: 20,
    sentMs: 21,
    firstByteMs: 40,
    lastByteMs: 50,
  },
  durationMs: 51,
};

test('an exchange is a span with one below it for each stage, end to end', () => {
  const [root, ...stages] = exchangeSpans(event);
  assert.ok(root);
  assert.deepEqual([root.name, root.kind, root.parentSpanId], ['GET', 'server', undefined]);
  assert.deepEqual([root.startMs - beganMs, root.endMs - beganMs], [0, 51]);
  assert.deepEqual(
    stages.map(({ name, kind, startMs, endMs }) => [name, kind, startMs - beganMs, endMs - beganMs]),
    [
      ['decide', 'internal', 1, 2],
      ['resolve', 'internal', 2, 4],
      ['dial', 'internal', 4, 9],
      ['tls', 'internal', 9, 20],
      ['forward', 'client', 20, 50],
    ],
  );
  for (const stage of stages) assert.equal(stage.parentSpanId, root.spanId);
  const ids = [root, ...stages].map(({ spanId }) => spanId);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^[0-9a-f]{16}$/);
  const forward = stages.at(-1);
  assert.equal(forward?.attributes['url.full'], 'https://api.test:443/items/1');
  assert.equal(forward?.attributes['network.protocol.version'], '1.1');
  assert.equal(forward?.attributes['network.peer.address'], '192.0.2.1');
  assert.equal(root.attributes['network.protocol.version'], '2');
});

test('a kept connection has no dial, a refusal nothing but its decision, and a dial that was earlier no negative time', () => {
  const kept = exchangeSpans({
    ...event,
    times: { decidedMs: 1, sentMs: 1, firstByteMs: 5 },
    connection: 'kept',
  });
  assert.deepEqual(
    kept.map(({ name, startMs, endMs }) => [name, startMs - beganMs, endMs - beganMs]),
    [
      ['GET', 0, 51],
      ['decide', 0, 1],
      ['forward', 1, 51],
    ],
  );
  const { address, connection, upstreamProtocol, ...refused } = event;
  assert.ok(address !== undefined && connection !== undefined && upstreamProtocol !== undefined);
  const denied = exchangeSpans({
    ...refused,
    verdict: 'deny',
    status: 403,
    errorCode: 'policy_denied',
    times: { decidedMs: 1 },
  });
  assert.deepEqual(
    denied.map(({ name }) => name),
    ['GET', 'decide'],
  );
  assert.equal(denied[0]?.isError, false, 'a refusal is no fault of the server');
  assert.equal(denied[0]?.attributes['error.type'], 'policy_denied');
  const early = exchangeSpans({
    ...event,
    times: { resolvedMs: 0, dialledMs: 0, decidedMs: 3, securedMs: 2 },
  });
  for (const { startMs, endMs } of early) assert.ok(endMs >= startMs);
});

test('no query, nothing that was not read, and no text without a bound is in a span', () => {
  const long = 'a'.repeat(5_000);
  const spans = [
    ...exchangeSpans(event),
    ...exchangeSpans({ ...event, path: 'http://user:s3cret@api.test/?s3cret' }),
    ...exchangeSpans({ ...event, path: '/a#s3cret', method: long, host: long, rule: long, principal: long }),
  ];
  assert.equal(JSON.stringify(spans).includes('s3cret'), false);
  assert.equal(JSON.stringify(spans).includes('a'.repeat(300)), false);
  const other = spans.at(-1);
  assert.equal(other?.attributes['http.request.method'], '_OTHER', 'a workload makes no names of spans');
  for (const { name } of spans) assert.ok(name.length < 20, name);
});

test('what was not measured has no span', () => {
  const { durationMs, ...killed } = event;
  assert.equal(durationMs, 51);
  assert.deepEqual(exchangeSpans({ ...killed, verdict: 'unknown' }), []);
  assert.deepEqual(exchangeSpans({ ...event, kind: 'alarm' }), []);
});

test('the share of traces is of all traces, and the same for one trace each time', () => {
  const ids = Array.from({ length: 20_000 }, (_, i) =>
    ((i * 214_747) >>> 0).toString(16).padStart(8, '0').padStart(32, 'a'),
  );
  const share = ids.filter((id) => isSampled(id, 0.1)).length / ids.length;
  assert.ok(share > 0.08 && share < 0.12, String(share));
  assert.equal(
    ids.every((id) => isSampled(id, 1)),
    true,
  );
  assert.equal(
    ids.some((id) => isSampled(id, 0)),
    false,
  );
  assert.equal(spanIdOf('0'.repeat(32), 0), '8000000000000000', 'zeros are no id');
});
