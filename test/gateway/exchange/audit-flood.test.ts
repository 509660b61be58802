// A session that fills the audit is refused before any decision, and these refusals share an event; nobody else notices.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { AuditRates } from '../../../src/gateway/audit/audit-rates.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { RecordingSink } from '../support/recording-sink.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const burst = 5;

interface Scene {
  readonly path: RequestPath;
  readonly sink: RecordingSink;
  readonly rates: AuditRates;
  readonly told: AuditEvent[];
}

/** A request path whose sink counts as the audit does, with a clock that stands still. */
function openScene(port: number): Scene {
  const path = openRequestPath({
    policy: `rules: [{ name: r, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }]`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
  const sink = path.parts.audit;
  assert.ok(sink instanceof RecordingSink);
  const told: AuditEvent[] = [];
  const limits = { ...defaultLimits, auditEventsPerSecondMax: 1, auditEventsBurstMax: burst };
  const rates = new AuditRates(
    limits,
    () => 0,
    (event) => told.push(event),
  );
  sink.over = (sessionId) => rates.overRate(sessionId, sink.openOf(sessionId));
  const append = sink.append.bind(sink);
  sink.append = (event, ended) => {
    append(event, ended);
    rates.charge(event.sessionId ?? '', JSON.stringify(event).length);
  };
  sink.sum = (event) => rates.sum(event);
  return { path, sink, rates, told };
}

test('above its rate a request is refused before any decision and its connection closed; one event counts them, and a neighbour is served', async () => {
  await using origin = await httpsOrigin({ authority });
  const { path, sink, rates, told } = openScene(origin.port);
  await using _ = path;
  const at = `allowed.test:${origin.port}`;
  const one = `GET /hello HTTP/1.1\r\nHost: ${at}\r\n\r\n`;
  const socket = await path.tls(at);
  const { body } = await sendRaw(socket, one.repeat(burst + 3));
  assert.equal(
    body.split('HTTP/1.1 429').length,
    2,
    'the first refusal is the last response of its connection',
  );
  assert.match(body, /connection: close/i);
  assert.match(body, /retry-after: 1/i);
  assert.match(body, /auditEventsPerSecondMax/);
  const { ended } = path.open({ authority: at, mode: 'raw' });
  assert.equal((await ended)?.code, 'limit_exceeded');
  assert.equal((await sendRaw(await path.tls(at, { principal: 'bob' }), get(at, '/hello'))).status, 200);
  const own = sink.events.filter(({ principal }) => principal === 'issuer|alice');
  assert.deepEqual(
    own.map(({ verdict }) => verdict),
    Array.from({ length: burst }, () => 'allow'),
  );
  assert.equal(sink.openTotal, 0);
  rates.flush();
  // A request and a stream. What was sent behind the refusal that ended its connection was nobody's request.
  assert.deepEqual(
    told.map(({ count, verdict, errorCode, limit, rule }) => [count, verdict, errorCode, limit, rule]),
    [[2, 'deny', 'limit_exceeded', 'auditEventsPerSecondMax', undefined]],
  );
  assert.notEqual(told[0]?.traceId, told[0]?.lastTraceId);
});

test('over HTTP/2 the refusal comes with GOAWAY', async () => {
  await using origin = await httpsOrigin({ authority });
  const { path } = openScene(origin.port);
  await using _ = path;
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at, { alpn: ['h2'] });
  const session = connect(`https://${at}`, { createConnection: () => socket });
  const gone = once(session, 'goaway');
  const statuses: unknown[] = [];
  for (let i = 0; i <= burst; i += 1) {
    const stream = session.request({ ':path': '/hello' });
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
    statuses.push(head[':status']);
    await once(stream.resume(), 'end');
  }
  assert.deepEqual(statuses, [...Array.from({ length: burst }, () => 200), 429]);
  await gone;
  session.destroy();
});
