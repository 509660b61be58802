import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { RefusalCounts } from '../../../src/gateway/audit/refusal-counts.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { refusalPathCharacters, refusalTextCharacters } from '../../../src/protocol/session-refusals.ts';
import { RecordingSink } from '../support/recording-sink.ts';

const event: AuditEvent = {
  v: 1,
  id: 'x',
  time: '2026-01-01T10:20:30.456Z',
  kind: 'exchange',
  traceId: '0'.repeat(32),
  sessionId: 's',
  principal: 'p',
  verdict: 'deny',
  rule: 'default-deny',
  errorCode: 'policy_denied',
  scheme: 'https',
  host: 'a.test',
  port: 443,
  method: 'GET',
  path: '/x?secret=1',
  message: 'for the operator',
  details: { operator: 'for the operator' },
};

test('equal refusals of a session are counted, and nothing of what the operator alone is told is kept', () => {
  const counts = new RefusalCounts();
  const inner = new RecordingSink();
  const sink = counts.counting(inner);
  sink.append(event);
  sink.append({ ...event, id: 'y', path: '/x?secret=2' });
  sink.append({ ...event, verdict: 'allow' });
  sink.append({ ...event, verdict: 'error' });
  sink.append({ ...event, kind: 'alarm' });
  sink.append({ ...event, sessionId: 't', rule: 'other' });
  sink.sum({ ...event, count: 40, errorCode: 'limit_exceeded' });
  const { kind, method, scheme, host, port } = event;
  const row = { kind, method, scheme, host, port, path: '/x', code: 'policy_denied', rule: 'default-deny' };
  assert.deepEqual(counts.of('s'), {
    refusals: [
      { ...row, count: 2 },
      { ...row, code: 'limit_exceeded', count: 40 },
    ],
    others: 0,
  });
  assert.equal(counts.of('t').refusals[0]?.rule, 'other');
  assert.deepEqual([inner.events.length, inner.summed.length], [6, 1]);
  counts.forget('s');
  assert.deepEqual(counts.of('s'), { refusals: [], others: 0 });
});

test('what one session and all of them leave is bounded, in rows and in their length', () => {
  const counts = new RefusalCounts();
  const inner = new RecordingSink();
  // Thousands of events, which need not be looked at each.
  inner.append = () => undefined;
  const sink = counts.counting(inner);
  const { refusalsPerSessionMax, refusalSessionsMax, refusalsBytesMax } = defaultLimits;
  for (let i = 0; i < refusalsPerSessionMax + 30; i += 1)
    sink.append({ ...event, host: `${i}.${'\u0001'.repeat(8000)}`, path: `/${'"'.repeat(8000)}` });
  const told = counts.of('s');
  assert.deepEqual([told.refusals.length, told.others], [refusalsPerSessionMax, 30]);
  for (const { host = '', path = '' } of told.refusals)
    assert.deepEqual([host.length, path.length], [refusalTextCharacters, refusalPathCharacters + 1]);
  assert.ok(JSON.stringify(told).length < refusalsBytesMax / 2);
  for (let i = 0; i < refusalSessionsMax; i += 1) sink.append({ ...event, sessionId: `t${i}` });
  assert.equal(counts.size, refusalSessionsMax);
  assert.deepEqual(counts.of('s').refusals, []);
});
