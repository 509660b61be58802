// What is written is read by the published files of the protocol.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { LatencyHistogram } from '../../../src/gateway/latency-histogram.ts';
import type { MetricFamily } from '../../../src/gateway/telemetry/metric-family.ts';
import { logRequest, metricsRequest, traceRequest } from '../../../src/gateway/telemetry/otlp-messages.ts';
import { refusedItems } from '../../../src/gateway/telemetry/otlp-writer.ts';
import { spanIdOf } from '../../../src/gateway/telemetry/trace-sampling.ts';
import { attributesOf, type Decoded, hexOf, partialSuccess, readOtlp } from '../../support/otlp-receiver.ts';

const origin = {
  version: '1.2.3',
  resource: { 'service.name': 'upstreamproxy', 'service.version': '1.2.3' },
};
const traceId = '0123456789abcdef0123456789abcdef';
const event: AuditEvent = {
  v: 1,
  id: 'e',
  time: '2030-01-01T00:00:00.123Z',
  kind: 'exchange',
  traceId,
  verdict: 'allow',
  method: 'GET',
  scheme: 'https',
  host: 'api.test',
  port: 443,
  path: '/',
  address: '192.0.2.1',
  status: 200,
  times: { decidedMs: 0.25, sentMs: 1, lastByteMs: 5 },
  durationMs: 5.5,
};

test('traces are read as they were meant, by the published protocol', async () => {
  const failed: AuditEvent = {
    ...event,
    traceId: 'f'.repeat(32),
    verdict: 'error',
    errorCode: 'timeout',
    status: 504,
  };
  const message = readOtlp(
    '/v1/traces',
    await traceRequest([JSON.stringify(event), JSON.stringify(failed)], origin),
  );
  const [resourceSpans] = message['resourceSpans'];
  assert.deepEqual(attributesOf(resourceSpans.resource), origin.resource);
  const [scopeSpans] = resourceSpans.scopeSpans;
  assert.deepEqual([scopeSpans.scope.name, scopeSpans.scope.version], ['upstreamproxy', '1.2.3']);
  const [root, decide, forward, broken] = scopeSpans.spans;
  assert.equal(scopeSpans.spans.length, 6);
  assert.equal(hexOf(root.traceId), traceId);
  assert.equal(hexOf(root.spanId), spanIdOf(traceId, 0));
  assert.deepEqual([root.kind, root.name, root.status], ['SPAN_KIND_SERVER', 'GET', undefined]);
  assert.equal(root.startTimeUnixNano, '1893456000123000000');
  assert.equal(root.endTimeUnixNano, '1893456000128500000');
  assert.equal(decide.endTimeUnixNano, '1893456000123250000');
  assert.equal(hexOf(forward.parentSpanId), spanIdOf(traceId, 0));
  assert.equal(forward.kind, 'SPAN_KIND_CLIENT');
  assert.equal(forward.events[0].name, 'sent');
  assert.equal(attributesOf(root)['http.response.status_code'], '200');
  assert.equal(attributesOf(root)['server.address'], 'api.test');
  assert.equal(broken.status.code, 'STATUS_CODE_ERROR');
  assert.equal(attributesOf(broken)['error.type'], 'timeout');
});

test('a batch is written in turns, and others have theirs in between', async () => {
  let turns = 0;
  const count = (): void => {
    turns += 1;
    immediate = setImmediate(count);
  };
  let immediate = setImmediate(count);
  try {
    const batch = Array.from({ length: 200 }, (_, i) => JSON.stringify({ ...event, id: `e${i}` }));
    const traces = readOtlp('/v1/traces', await traceRequest(batch, origin));
    assert.ok(turns >= 10, `${turns} turns`);
    const ids = traces['resourceSpans']
      .flatMap(({ scopeSpans }: Decoded) => scopeSpans)
      .flatMap(({ spans }: Decoded) => spans)
      .map((span: Decoded) => attributesOf(span)['upstreamproxy.event_id'])
      .filter((id: unknown) => id !== undefined);
    assert.deepEqual(
      ids,
      batch.map((_, i) => `e${i}`),
    );
  } finally {
    clearImmediate(immediate);
  }
});

test('a log record has the event as the audit has it', async () => {
  const alarm: AuditEvent = {
    v: 1,
    id: 'a',
    time: event.time,
    kind: 'alarm',
    action: 'token_reused',
    traceId: 'not an id',
    verdict: 'deny',
    message: 'lone \ud800 surrogate',
  };
  const texts = [JSON.stringify(event), JSON.stringify(alarm)];
  const message = readOtlp('/v1/logs', await logRequest(texts, origin, Date.parse(event.time) + 1));
  const [first, second] = message['resourceLogs'][0].scopeLogs[0].logRecords;
  assert.equal(first.body.stringValue, texts[0]);
  assert.deepEqual(
    [first.severityNumber, first.severityText, hexOf(first.traceId), hexOf(first.spanId), first.eventName],
    ['SEVERITY_NUMBER_INFO', 'INFO', traceId, spanIdOf(traceId, 0), 'upstreamproxy.exchange'],
  );
  assert.equal(first.timeUnixNano, '1893456000123000000');
  assert.equal(first.observedTimeUnixNano, '1893456000124000000');
  assert.deepEqual([second.severityText, second.eventName], ['ERROR', 'upstreamproxy.token_reused']);
  assert.equal(second.traceId, undefined, 'what is no id is not sent as one');
});

test('metrics are sums since the start, gauges, and histograms with their exemplars', () => {
  const histogram = new LatencyHistogram([0.1, 1]);
  histogram.record(50, { id: traceId, atMs: 1_000 });
  histogram.record(60, undefined);
  histogram.record(500, undefined);
  histogram.record(5_000, undefined);
  const families: readonly MetricFamily[] = [
    {
      type: 'counter',
      name: 'events',
      help: 'Events.',
      samples: [{ labels: 'kind="exchange",code=""', value: 3 }],
    },
    { type: 'gauge', name: 'tunnels', help: 'Tunnels.', samples: [{ labels: '', value: 2 }] },
    { type: 'histogram', name: 'x_seconds', help: 'X.', bounds: [0.1, 1], histogram: histogram.counts() },
  ];
  const octets = metricsRequest(families, origin, { startMs: 1_000, nowMs: 2_000 });
  const [events, tunnels, latency] = readOtlp('/v1/metrics', octets)['resourceMetrics'][0].scopeMetrics[0]
    .metrics;
  assert.equal(events.name, 'upstreamproxy.events');
  assert.deepEqual(
    [events.sum.aggregationTemporality, events.sum.isMonotonic, events.sum.dataPoints[0].asDouble],
    ['AGGREGATION_TEMPORALITY_CUMULATIVE', true, 3],
  );
  assert.deepEqual(attributesOf(events.sum.dataPoints[0]), { kind: 'exchange', code: '' });
  assert.equal(events.sum.dataPoints[0].startTimeUnixNano, '1000000000');
  assert.equal(tunnels.gauge.dataPoints[0].asDouble, 2);
  const [point] = latency.histogram.dataPoints;
  assert.equal(latency.unit, 's');
  assert.deepEqual(
    [point.count, point.sum, point.bucketCounts, point.explicitBounds],
    ['4', 5.61, ['2', '1', '1'], [0.1, 1]],
  );
  assert.equal(hexOf(point.exemplars[0].traceId), traceId);
  assert.equal(point.exemplars[0].asDouble, 0.05);
});

test('what a collector says of items that it refused is read, and whatever it sends else says nothing', () => {
  assert.equal(refusedItems(partialSuccess(7, 'too old')), 7);
  assert.equal(refusedItems(partialSuccess(0, 'take care')), 0);
  for (const hex of [
    '',
    '0a',
    '0a05',
    'ff'.repeat(40),
    '0aff7f',
    '0a02ffff',
    '0b0b0b',
    '0a0a08ffffffffffffffffff01',
  ])
    assert.ok(refusedItems(Buffer.from(hex, 'hex')) <= 0, hex);
});
