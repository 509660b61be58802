import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { syslogFrame } from '../../../src/gateway/telemetry/syslog-message.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { readFrames, readSyslog } from '../../support/syslog-receiver.ts';

const sender = {
  facility: 13,
  hostname: 'gateway.test',
  processId: 7,
  structuredDataId: 'upstreamproxy@32473',
};
const event: AuditEvent = {
  v: 1,
  id: 'e1',
  time: '2030-01-01T00:00:00.123Z',
  kind: 'exchange',
  traceId: 'a'.repeat(32),
  verdict: 'allow',
  host: 'api.test',
  port: 443,
  status: 200,
  path: '/käse?x',
};

function sent(of: AuditEvent, from = sender) {
  const { messages, rest } = readFrames(syslogFrame(of, JSON.stringify(of), from));
  assert.equal(messages.length, 1);
  assert.equal(rest.length, 0);
  return readSyslog(messages[0] ?? '');
}

test('an event is one message, counted in octets, with its facts as structured data and its JSON behind them', () => {
  const message = sent(event);
  assert.deepEqual(
    [message.facility, message.severity, message.timestamp, message.hostname, message.application],
    [13, 6, event.time, 'gateway.test', 'upstreamproxy'],
  );
  assert.deepEqual(
    [message.processId, message.messageId, message.dataId],
    ['7', 'exchange', 'upstreamproxy@32473'],
  );
  assert.equal(message.parameters['id'], 'e1');
  assert.equal(message.parameters['status'], '200');
  assert.equal('path' in message.parameters, false);
  assert.match(message.text ?? '', /^[\x20-\x7e]+$/);
  assert.deepEqual(JSON.parse(message.text ?? ''), event);
});

test('severities tell alarms, faults, refusals and the rest apart', () => {
  const severityOf = (more: Partial<AuditEvent>): number => sent({ ...event, ...more }).severity;
  assert.equal(severityOf({ kind: 'alarm', action: 'token_reused' }), 1);
  assert.equal(severityOf({ verdict: 'error' }), 3);
  assert.equal(severityOf({ verdict: 'deny' }), 4);
  assert.equal(severityOf({ verdict: 'unknown' }), 4);
  assert.equal(severityOf({ verdict: 'info' }), 6);
});

test('nothing that a workload chooses ends a parameter, a line or a message', () => {
  const hostile = 'x"] [forged@1 id="1"]\n<13>1 - - - - - - forged\r\0\u0085\u2028\\';
  const of = { ...event, host: hostile, method: '"', rule: '\\"]', principal: 'a\\', errorCode: 'ü\ud800' };
  const frame = syslogFrame(of, JSON.stringify(of), sender);
  const { messages } = readFrames(frame);
  const message = readSyslog(messages[0] ?? '');
  assert.equal(message.parameters['host'], 'x"] [forged@1 id="1"] <13>1 - - - - - - forged    \\');
  assert.equal(message.parameters['rule'], '\\"]');
  assert.equal(message.parameters['principal'], 'a\\');
  assert.equal(message.parameters['errorCode'], 'ü\ufffd');
  assert.equal(frame.toString().split(/[\n\r\u2028]/).length, 1);
  assert.deepEqual(JSON.parse(message.text ?? ''), JSON.parse(JSON.stringify(of)));
});

test('a message has room at every receiver: where there is none for the JSON, its facts are there', () => {
  const long = '\u4e2d'.repeat(3_000);
  const of = { ...event, host: long, rule: long, principal: long, path: `/${long}` };
  const frame = syslogFrame(of, JSON.stringify(of), sender);
  const { messages } = readFrames(frame);
  assert.ok(Buffer.byteLength(messages[0] ?? '') <= defaultLimits.syslogMessageBytesMax);
  const message = readSyslog(messages[0] ?? '');
  assert.equal(message.text, undefined);
  assert.equal(message.parameters['id'], 'e1');
});

test('a name that is no host name does not break the head', () => {
  assert.equal(sent(event, { ...sender, hostname: 'a b\nc' }).hostname, 'abc');
  assert.equal(sent(event, { ...sender, hostname: 'ü' }).hostname, '-');
});
