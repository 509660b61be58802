import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { AuditRates } from '../../../src/gateway/audit/audit-rates.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { assertValidEvent } from '../../support/valid-event.ts';

const limits = {
  ...defaultLimits,
  auditEventsPerSecondMax: 2,
  auditEventsBurstMax: 10,
  auditBytesPerSecondMax: 4096,
  auditBytesBurstMax: 8192,
};

const refusal = (trace: string, sessionId = 'a'): AuditEvent => ({
  v: 1,
  id: `event-${trace}`,
  time: '2026-01-01T00:00:00.000Z',
  kind: 'exchange',
  traceId: trace,
  sessionId,
  principal: 'issuer|a',
  verdict: 'deny',
  errorCode: 'limit_exceeded',
  limit: 'auditEventsPerSecondMax',
  path: '/secret',
});

function open(): { readonly rates: AuditRates; readonly told: AuditEvent[]; wait(ms: number): void } {
  const told: AuditEvent[] = [];
  let nowMs = 0;
  const rates = new AuditRates(
    limits,
    () => nowMs,
    (event) => told.push(event),
  );
  return { rates, told, wait: (ms) => (nowMs += ms) };
}

test('a session uses its burst, then its rate, and another has its own', () => {
  const { rates, wait } = open();
  for (let i = 0; i < 10; i += 1) {
    assert.equal(rates.overRate('a', 0), undefined);
    rates.charge('a', 100);
  }
  const error = rates.overRate('a', 0);
  assert.deepEqual(
    [error?.code, error?.limit, error?.retryAfterSeconds],
    ['limit_exceeded', 'auditEventsPerSecondMax', 1],
  );
  assert.equal(rates.overRate('b', 0), undefined);
  wait(500);
  assert.equal(rates.overRate('a', 0), undefined);
});

test('bytes count as events do', () => {
  const { rates } = open();
  for (let i = 0; i < 4; i += 1) rates.charge('a', 2048);
  assert.equal(rates.overRate('a', 0)?.limit, 'auditBytesPerSecondMax');
});

test('what is open will leave an event too', () => {
  const { rates } = open();
  assert.equal(rates.overRate('a', 9), undefined);
  assert.equal(rates.overRate('a', 10)?.limit, 'auditEventsPerSecondMax');
});

test('while the reserve is used up, only who lives on its burst is refused, be it of events or of bytes', () => {
  let nowMs = 0;
  const wide = { ...defaultLimits, auditEventsPerSecondMax: 2, auditEventsBurstMax: 5000 };
  const rates = new AuditRates(
    wide,
    () => nowMs,
    () => undefined,
  );
  for (let i = 0; i < 1001; i += 1) rates.charge('flood', 100);
  rates.charge('quiet', 100);
  for (let i = 0; i < 999; i += 1) rates.charge('large', 3000);
  assert.equal(rates.overRate('flood', 0), undefined);
  assert.equal(rates.narrow(true), true);
  assert.equal(rates.narrow(true), false);
  assert.equal(rates.overRate('flood', 0)?.limit, 'auditEventsPerSecondMax');
  assert.equal(rates.overRate('large', 0)?.limit, 'auditBytesPerSecondMax');
  for (const sessionId of ['quiet', 'new']) assert.equal(rates.overRate(sessionId, 10), undefined);
  nowMs = 2000;
  assert.equal(rates.overRate('flood', 0), undefined);
  assert.equal(rates.narrow(false), true);
  assert.equal(rates.overRate('large', 0), undefined);
});

test('refusals of a session share an event, with their number, the first and the last trace, and nothing that was asked for', () => {
  const { rates, told } = open();
  for (const trace of ['1', '2', '3']) rates.sum(refusal(trace));
  rates.sum(refusal('9', 'b'));
  rates.flush();
  rates.flush();
  for (const event of told) assertValidEvent(event);
  assert.deepEqual(
    told.map(({ sessionId, count, traceId, lastTraceId, path }) => [
      sessionId,
      count,
      traceId,
      lastTraceId,
      path,
    ]),
    [
      ['a', 3, '1', '3', undefined],
      ['b', 1, '9', '9', undefined],
    ],
  );
});

test('a session whose buckets are full again is forgotten', () => {
  const { rates, wait } = open();
  rates.charge('a', 100);
  wait(61_000);
  rates.charge('b', 100);
  assert.equal(rates.size, 1);
});
