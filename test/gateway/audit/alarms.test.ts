import assert from 'node:assert/strict';
import { request } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { alarmText, observedSink } from '../../../src/gateway/audit/alarms.ts';
import { embeddedConfig } from '../../../src/gateway/config/config.ts';
import { startGateway } from '../../../src/gateway/gateway.ts';
import { freePort } from '../../support/free-port.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { sessionPath } from '../../../src/protocol/session-messages.ts';
import { createAgentKey, posture, proofOf, RecordingAudit } from '../session-fixture.ts';

const event: AuditEvent = {
  v: 1,
  id: '01890000-0000-7000-8000-000000000000',
  time: '2030-01-01T00:00:00.000Z',
  kind: 'alarm',
  action: 'token_reused',
  traceId: '0'.repeat(32),
  verdict: 'deny',
  errorCode: 'token_reused',
  sessionId: 's-1',
  principal: 'p-1',
  message: 'The token was used before.',
};

test('an alarm is one line with the session, the principal and the trace; what is as it should be is none', () => {
  assert.equal(
    alarmText(event),
    `alarm token_reused [token_reused], session s-1, principal p-1: The token was used before. (trace ${'0'.repeat(32)})`,
  );
  const { sessionId: _, principal: __, ...stranger } = event;
  const refused = { ...stranger, kind: 'session', action: 'refused', errorCode: 'token_invalid' } as const;
  assert.match(
    alarmText(refused) ?? '',
    /^session refused \[token_invalid\]: The token was used before\. \(trace /,
  );
  assert.equal(alarmText({ ...event, kind: 'session', action: 'committed', verdict: 'info' }), undefined);
  assert.equal(alarmText({ ...event, kind: 'exchange' }), undefined);
});

test('an event is told once it was handed on', () => {
  const inner = new RecordingAudit();
  const told: number[] = [];
  const sink = observedSink(inner, () => told.push(inner.events.length));
  sink.append(event);
  inner.healthy = false;
  assert.deepEqual([told, sink.healthy], [[1], false]);
});

test('who is refused a session is in the log of the gateway in one line, and in its metrics', async () => {
  await withTemporaryDirectory(async (directory) => {
    const metrics = { address: '127.0.0.1', port: await freePort() };
    const lines: string[] = [];
    await using gateway = await startGateway(embeddedConfig(join(directory, 'state'), { metrics }), {
      log: (level, message) => void lines.push(`${level} ${message}`),
    });
    const key = createAgentKey();
    const url = `${gateway.url}${sessionPath}`;
    const status = await new Promise((resolve, reject) => {
      const headers = {
        authorization: 'Bearer not.a.token',
        dpop: proofOf(key, { method: 'POST', url, nowMs: Date.now() }),
        'content-type': 'application/json',
      };
      const sent = request(url, { method: 'POST', ca: gateway.serverCaPem, headers }, (response) =>
        resolve(response.resume().statusCode),
      );
      sent.on('error', reject).end(JSON.stringify({ key: key.jwk, posture, agent: { version: '0.1.0' } }));
    });
    assert.equal(status, 401);
    assert.match(lines.join('\n'), /^warn session refused \[\w+\]: [^\n]+ \(trace [0-9a-f]{32}\)$/);
    const text = await (await fetch(`http://127.0.0.1:${metrics.port}/metrics`)).text();
    assert.match(text, /events_total\{kind="session",verdict="deny",code="\w+",action="refused"\} 1\n/);
  });
});
