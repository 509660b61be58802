import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../src/api/audit-event.ts';
import { Metrics, countingSink } from '../../src/gateway/metrics.ts';
import { listenMetrics } from '../../src/gateway/metrics-server.ts';
import { RecordingSink } from './support/recording-sink.ts';

const gauges = {
  tunnels: () => 2,
  liveGrants: () => 1,
  auditHealthy: () => true,
  policyAgeSeconds: () => 12,
  policyStaleSeconds: () => 0,
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
  const text = metrics.text(gauges);
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

test('a port that is taken is one clear error', async () => {
  await using server = await listenMetrics({ address: '127.0.0.1', port: 0, text: () => '' });
  await assert.rejects(listenMetrics({ address: '127.0.0.1', port: server.port, text: () => '' }), {
    code: 'gateway_port_unusable',
  });
});
