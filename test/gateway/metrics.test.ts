import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../src/api/audit-event.ts';
import { Metrics, countingSink } from '../../src/gateway/metrics.ts';
import { metricsFormat, metricsText } from '../../src/gateway/metrics-text.ts';
import { listenMetrics } from '../../src/gateway/metrics-server.ts';
import { RecordingSink } from './support/recording-sink.ts';

const gauges = {
  tunnels: 2,
  waitingTunnels: 1,
  keptBytes: 500,
  liveGrants: 1,
  auditHealthy: true,
  policyAgeSeconds: 12,
  policyStaleSeconds: 0,
  advisoriesStaleSeconds: 0,
  sessionLeases: 0,
  sessionLeasesNotGivenBack: 0,
  storeAwaySeconds: 0,
  spoolBytes: 0,
  cacheBytes: 0,
};
const event: AuditEvent = {
  v: 1,
  id: '1',
  time: '2030-01-01T00:00:00.000Z',
  kind: 'exchange',
  traceId: 't',
  verdict: 'deny',
  errorCode: 'limit_exceeded',
  host: 'secret-host.test',
  requestBytes: 5,
  responseBytes: 7,
  durationMs: 30,
};

test('every event that the audit takes is counted by kind, verdict and code', () => {
  const metrics = new Metrics();
  const inner = new RecordingSink();
  const sink = countingSink(inner, metrics);
  sink.append(event);
  sink.append(event);
  sink.append({ ...event, kind: 'alarm', verdict: 'info', action: 'token_reused' });
  assert.equal(inner.events.length, 3);
  const text = metricsText({ counts: [metrics.counts(gauges)], restarts: 0 });
  assert.match(text, /events_total\{kind="exchange",verdict="deny",code="limit_exceeded",action=""\} 2\n/);
  assert.match(
    text,
    /events_total\{kind="alarm",verdict="info",code="limit_exceeded",action="token_reused"\} 1\n/,
  );
  assert.match(text, /request_bytes_total 15\n/);
  assert.match(text, /duration_seconds_bucket\{le="0.025"\} 0\n/);
  assert.match(text, /duration_seconds_bucket\{le="0.1"\} 2\n/);
  assert.match(text, /upstreamproxy_tunnels 2\n/);
  assert.equal(text.includes('secret-host'), false);
});

test('what deciders are asked is counted by decider and outcome, with how long those took that were asked', () => {
  const metrics = new Metrics();
  const asked = { name: 'opa', outcome: 'allowed', durationMs: 3 } as const;
  const { errorCode: _, ...plain } = event;
  metrics.count({
    ...plain,
    deciders: [asked, { name: 'judge', of: 'response', outcome: 'denied', durationMs: 700 }],
  });
  metrics.count({ ...plain, deciders: [{ ...asked, isCached: true, durationMs: 0 }] });
  metrics.count({ ...plain, deciders: [asked, { ...asked, name: 'a"}\nb', outcome: 'unavailable' }] });
  const counts = metrics.counts(gauges);
  const text = metricsText({ counts: [counts, counts], restarts: 0 });
  const lines = text.split('\n').filter((line) => line.startsWith('upstreamproxy_decider_'));
  const questions = lines.filter((line) => line.includes('questions_total{'));
  assert.deepEqual(questions, [
    'upstreamproxy_decider_questions_total{decider="opa",of="request",outcome="allowed",cached="false"} 4',
    'upstreamproxy_decider_questions_total{decider="judge",of="response",outcome="denied",cached="false"} 2',
    'upstreamproxy_decider_questions_total{decider="opa",of="request",outcome="allowed",cached="true"} 2',
    'upstreamproxy_decider_questions_total{decider="other",of="request",outcome="unavailable",cached="false"} 2',
  ]);
  // What was remembered took nobody's time.
  assert.ok(lines.includes('upstreamproxy_decider_seconds_bucket{le="0.001"} 0'));
  assert.ok(lines.includes('upstreamproxy_decider_seconds_bucket{le="0.005"} 6'));
  assert.ok(lines.includes('upstreamproxy_decider_seconds_count 8'));
});

test('metrics are served at one path of their own port and nowhere else', async () => {
  await using server = await listenMetrics({ address: '127.0.0.1', port: 0, text: () => 'up 1\n' });
  const at = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${server.port}${path}`);
  assert.equal(await (await at('/metrics')).text(), 'up 1\n');
  assert.equal((await at('/')).status, 404);
});

test('where metrics are served is said by address, for a name too', async () => {
  await using server = await listenMetrics({ address: 'localhost', port: 0, text: () => '' });
  // No rule leads there, which is decided by address.
  assert.ok(['127.0.0.1', '::1'].includes(server.address), server.address);
});

test('a port that is taken is one clear error', async () => {
  await using server = await listenMetrics({ address: '127.0.0.1', port: 0, text: () => '' });
  await assert.rejects(listenMetrics({ address: '127.0.0.1', port: server.port, text: () => '' }), {
    code: 'gateway_port_unusable',
  });
});

test('processes of one gateway are counted as one, and one that is gone keeps its counters and loses its gauges', () => {
  const [first, second, gone] = [new Metrics(), new Metrics(), new Metrics()];
  for (const metrics of [first, second, gone]) metrics.count(event);
  second.countLimit('strangersMax');
  for (const metrics of [first, second]) metrics.countResume('resumed');
  gone.countResume('unknown');
  const worse = { ...gauges, auditHealthy: false, policyAgeSeconds: 40, policyStaleSeconds: 3 };
  const counts = [first.counts(gauges), second.counts(worse), gone.counts()];
  const text = metricsText({ counts, restarts: 4 });
  for (const line of [
    'events_total{kind="exchange",verdict="deny",code="limit_exceeded",action=""} 3',
    'limit_hits_total{limit="strangersMax"} 1',
    'request_bytes_total 15',
    'exchange_duration_seconds_bucket{le="0.1"} 3',
    'exchange_duration_seconds_count 3',
    'tunnels 4',
    'tunnels_waiting 2',
    'tunnel_kept_bytes 1000',
    'tunnel_resumes_total{outcome="resumed"} 2',
    'tunnel_resumes_total{outcome="unknown"} 1',
    'live_grants 2',
    'audit_healthy 0',
    'policy_age_seconds 40',
    'policy_stale_seconds 3',
    'workers 2',
    'worker_restarts_total 4',
  ])
    assert.ok(text.includes(`\nupstreamproxy_${line}\n`), line);
});

test('the stages of an exchange are measured, and OpenMetrics says of each bucket which trace fell into it last', () => {
  const metrics = new Metrics();
  const times = { decidedMs: 0.2, firstByteMs: 20, lastByteMs: 30 };
  metrics.count({ ...event, traceId: 'a'.repeat(32), times });
  metrics.count({ ...event, traceId: 'b'.repeat(32), times });
  metrics.count({ ...event, traceId: 'c'.repeat(32), durationMs: 61_000 });
  const counts = { counts: [metrics.counts(gauges)], restarts: 0 };
  const text = metricsText(counts, 'openmetrics');
  for (const line of [
    '# TYPE upstreamproxy_events counter',
    'upstreamproxy_exchange_duration_seconds_bucket{le="0.025"} 0',
    `upstreamproxy_exchange_duration_seconds_bucket{le="0.1"} 2 # {trace_id="${'b'.repeat(32)}"} 0.03 1893456000.000`,
    'upstreamproxy_exchange_duration_seconds_bucket{le="10.0"} 2',
    `upstreamproxy_exchange_duration_seconds_bucket{le="+Inf"} 3 # {trace_id="${'c'.repeat(32)}"} 61 1893456000.000`,
    `upstreamproxy_first_byte_seconds_bucket{le="0.025"} 2 # {trace_id="${'b'.repeat(32)}"} 0.02 1893456000.000`,
    'upstreamproxy_first_byte_seconds_count 2',
    `upstreamproxy_decide_seconds_bucket{le="0.0005"} 2 # {trace_id="${'b'.repeat(32)}"} 0.0002 1893456000.000`,
    'upstreamproxy_decide_seconds_bucket{le="0.0001"} 0',
  ])
    assert.ok(text.includes(`\n${line}\n`) || text.startsWith(`${line}\n`), `${line} in\n${text}`);
  assert.ok(text.endsWith('\n# EOF\n'));
  assert.equal(metricsText(counts).includes('trace_id'), false, 'the other format has no exemplars');
  const later = new Metrics();
  later.count({ ...event, traceId: 'd'.repeat(32), time: '2030-01-01T00:00:01.000Z' });
  const both = metricsText({ counts: [later.counts(), metrics.counts()], restarts: 0 }, 'openmetrics');
  assert.match(
    both,
    /duration_seconds_bucket\{le="0\.1"\} 3 # \{trace_id="d{32}"\}/,
    'of processes the newest',
  );
});

test('OpenMetrics is given to those who ask for it', async () => {
  const prometheus =
    'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';
  assert.equal(metricsFormat(prometheus), 'openmetrics');
  for (const other of [undefined, '', '*/*', 'text/plain', 'application/openmetrics-text;q=0', ',;q=1,'])
    assert.equal(metricsFormat(other), 'prometheus', String(other));
  await using server = await listenMetrics({ address: '127.0.0.1', port: 0, text: (format) => format });
  const asked = async (accept: string): Promise<readonly [string | null, string]> => {
    const response = await fetch(`http://127.0.0.1:${server.port}/metrics`, { headers: { accept } });
    return [response.headers.get('content-type'), await response.text()];
  };
  const openmetrics = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
  assert.deepEqual(await asked(prometheus), [openmetrics, 'openmetrics']);
  assert.deepEqual(await asked('text/plain'), ['text/plain; version=0.0.4', 'prometheus']);
});
