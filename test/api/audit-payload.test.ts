import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuditFacts, putAuditPayload, readAuditPayload } from '../../src/api/audit-payload.ts';
import { auditEventSchema } from '../../src/api/audit-event.ts';
import { readRecord, RecordWriter } from '../../src/protocol/spool-record.ts';

function payloadOf(facts: AuditFacts): Uint8Array<ArrayBuffer> {
  const writer = new RecordWriter(16);
  writer.begin('event', 1);
  putAuditPayload(writer, facts);
  writer.end();
  const record = readRecord(writer.take(), 0);
  if (typeof record === 'string') assert.fail(record);
  return record.payload.slice();
}

const facts: AuditFacts = {
  id: '0190b0c8-0000-7000-8000-000000000000',
  sessionId: 'sessiön',
  verdict: 'allow',
  kind: 'exchange',
  timeMs: 1_782_000_000_123,
  json: '{"path":"/ä"}',
};

test('every verdict and kind of the schema comes back, with and without a session and a marker', () => {
  for (const verdict of auditEventSchema.unwrap().shape.verdict.options) {
    for (const kind of auditEventSchema.unwrap().shape.kind.options) {
      for (const wasOpen of [true, undefined]) {
        for (const sessionId of ['s', undefined]) {
          const { sessionId: _, ...rest } = facts;
          const given = {
            ...rest,
            verdict,
            kind,
            ...(wasOpen === undefined ? {} : { wasOpen }),
            ...(sessionId === undefined ? {} : { sessionId }),
          };
          const { json, octets: _octets, ...read } = readAuditPayload(payloadOf(given)) ?? assert.fail();
          assert.deepEqual({ ...read, json: Buffer.from(json).toString() }, given);
        }
      }
    }
  }
});

test('octets that no writer gave are no payload', () => {
  const payload = payloadOf(facts);
  const headBytes = payload.length - Buffer.byteLength(facts.json);
  for (let length = 0; length < headBytes; length += 1) {
    assert.equal(readAuditPayload(payload.slice(0, length)), undefined, `${length} octets`);
  }
  const changes: readonly (readonly [number, number])[] = [
    [0, 5],
    [0, 255],
    [1, 4],
    [2, 2],
    // Ill-formed UTF-8 in the id.
    [13, 0xff],
  ];
  for (const [at, octet] of changes) {
    const changed = payload.slice();
    changed[at] = octet;
    assert.equal(readAuditPayload(changed), undefined, `octet ${at} as ${octet}`);
  }
});
