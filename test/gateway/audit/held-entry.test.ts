// Events that wait for the store: their texts are kept as octets, and are the same whoever reads them.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { AuditEntries } from '../../../src/gateway/audit/audit-entries.ts';
import { TextSlabs } from '../../../src/gateway/audit/held-entry.ts';
import { AuditRecordWriter, auditRecords } from '../../../src/store/audit-records.ts';

const event: AuditEvent = {
  v: 1,
  id: '01a2240a-4bc7-77f8-a729-6539875ad1e1',
  time: '2026-11-28T20:00:00.000Z',
  kind: 'exchange',
  verdict: 'allow',
  traceId: '0123456789abcdef0123456789abcdef',
  sessionId: 'session',
  host: 'origin.test',
  path: '/größe/\u{1f980}/\ud800',
};

test('texts of any length stand behind each other, and none is changed by the next', () => {
  const slabs = new TextSlabs();
  const texts = Array.from({ length: 900 }, (_, at) => 'aé\u{1f980}'.repeat((at * 37) % 500) + at);
  texts.push('x'.repeat(300_000), 'ü'.repeat(90_000), '');
  const held = texts.map((text) => slabs.hold(text));
  for (const [at, octets] of held.entries()) assert.equal(octets.toString('utf8'), texts[at]);
});

test('a held event is written as its text would be', () => {
  const entries = new AuditEntries(64 * 1024);
  const held = entries.of(event, true);
  const { id, sessionId, verdict, kind, timeMs, json, wasOpen } = held;
  assert.deepEqual(JSON.parse(json), JSON.parse(JSON.stringify(event)));
  const plain = { id, sessionId, verdict, kind, timeMs, json, wasOpen };
  const [ofOctets, ofText] = [held, plain].map((one) => new AuditRecordWriter().write([one], [one]));
  assert.deepEqual(ofOctets, ofText);
  const [opened, ended] = [...auditRecords(ofOctets ?? new Uint8Array())];
  assert.equal(Buffer.from(opened?.payload.json ?? []).toString(), json);
  assert.equal(ended?.payload.wasOpen, true);
});

test('what the caller changes later is not in it', () => {
  const entries = new AuditEntries(64 * 1024);
  const changed = { ...event };
  const { json } = entries.of(changed);
  const held = entries.of(changed);
  changed.host = 'other.test';
  entries.of(changed);
  assert.equal(held.json, json);
});
