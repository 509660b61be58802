import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../src/api/audit-event.ts';
import { Metrics, countingSink, metricsText } from '../../src/gateway/metrics.ts';
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
