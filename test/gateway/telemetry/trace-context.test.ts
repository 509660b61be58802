import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { exchangeSpans } from '../../../src/gateway/telemetry/exchange-spans.ts';
import {
  ContinuedTraces,
  forwardedTraceparent,
  readTraceparent,
} from '../../../src/gateway/telemetry/trace-context.ts';

const clientTrace = '4bf92f3577b34da6a3ce929d0e0e4736';
const clientSpan = '00f067aa0ba902b7';
const sampled = `00-${clientTrace}-${clientSpan}-01`;
const own = '0123456789abcdef0123456789abcdef';

test('a traceparent of version 00 is read, and nothing that is not one', () => {
  assert.deepEqual(readTraceparent(sampled), { traceId: clientTrace, spanId: clientSpan, isSampled: true });
  assert.equal(readTraceparent(`00-${clientTrace}-${clientSpan}-02`)?.isSampled, false);
  for (const text of [
    '',
    `01-${clientTrace}-${clientSpan}-01`,
    `ff-${clientTrace}-${clientSpan}-01`,
    `00-${'0'.repeat(32)}-${clientSpan}-01`,
    `00-${clientTrace}-${'0'.repeat(16)}-01`,
    `00-${clientTrace.toUpperCase()}-${clientSpan}-01`,
    `${sampled}-01`,
    `${sampled} `,
    `00-${clientTrace}-${clientSpan}`,
    `00-${clientTrace}${clientSpan}-01`,
  ])
    assert.equal(readTraceparent(text), undefined, text);
});

test('a client that says of all its traces that they are sampled gets no more of them than the bound', () => {
  const traces = new ContinuedTraces(3);
  const taken = (nowMs: number): number =>
    Array.from({ length: 10 }, () => traces.take([sampled], nowMs)).filter((one) => one !== undefined).length;
  assert.equal(taken(1_000), 3);
  assert.equal(taken(1_999), 0);
  assert.equal(taken(2_000), 3);
  assert.equal(traces.take([sampled, sampled], 9_000), undefined, 'two fields are no field');
  assert.equal(traces.take([], 9_000), undefined);
  assert.equal(traces.take([`00-${clientTrace}-${clientSpan}-00`], 9_000), undefined, 'what is not sampled');
});

test('the exchange is below the span of the client, and the origin is told of the span that asks it', () => {
  const event: AuditEvent = {
    v: 1,
    id: 'e',
    time: '2030-01-01T00:00:00.000Z',
    kind: 'exchange',
    traceId: own,
    traceparent: sampled,
    verdict: 'allow',
    method: 'GET',
    address: '192.0.2.1',
    times: { decidedMs: 1, sentMs: 2 },
    durationMs: 5,
  };
  const [root, ...stages] = exchangeSpans(event);
  assert.deepEqual([root?.traceId, root?.parentSpanId], [clientTrace, clientSpan]);
  assert.equal(root?.attributes['upstreamproxy.trace_id'], own);
  for (const stage of stages)
    assert.deepEqual([stage.traceId, stage.parentSpanId], [clientTrace, root?.spanId]);
  const forward = stages.find(({ name }) => name === 'forward');
  const context = readTraceparent(sampled);
  assert.ok(context);
  assert.equal(forwardedTraceparent(context, own), `00-${clientTrace}-${forward?.spanId}-01`);
  const without = exchangeSpans({ ...event, traceparent: 'not one' });
  assert.deepEqual([without[0]?.traceId, without[0]?.parentSpanId], [own, undefined]);
});
