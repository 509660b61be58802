import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AuditRecordWriter, auditRecords } from '../../src/store/audit-records.ts';
import { readRecord, recordBytesMax, RecordWriter } from '../../src/protocol/spool-record.ts';
import { auditEntry } from '../conformance/audit.ts';

const refused = (message: RegExp) => ({ name: 'ProxyError', code: 'store_unavailable', message });
const ids = (bytes: Uint8Array<ArrayBuffer>): readonly string[] =>
  [...auditRecords(bytes)].map(({ kind, payload }) => `${kind} ${payload.id}`);

test('a batch is what began and then what ended, and the batches of a writer are numbered on', () => {
  const writer = new AuditRecordWriter();
  const first = writer.write([auditEntry('a'), auditEntry('b')], [auditEntry('c')]);
  const second = writer.write([auditEntry('d')], []);
  assert.deepEqual(ids(first), ['opened c', 'event a', 'event b']);
  assert.deepEqual(ids(second), ['event d']);
  const record = readRecord(second, 0);
  assert.equal(typeof record === 'string' ? record : record.sequence, 4);
  assert.deepEqual(ids(new Uint8Array(0)), []);
});

test('a batch that is torn, changed or put together from two is refused where it is', () => {
  const writer = new AuditRecordWriter();
  const [first, second, third] = ['a', 'b', 'c'].map((id) => writer.write([auditEntry(id)], []));
  assert.throws(() => ids(first!.slice(0, -1)), refused(/torn/));
  const changed = first!.slice();
  changed[20]! ^= 1;
  assert.throws(() => ids(changed), refused(/corrupt/));
  const join = (...parts: Uint8Array[]): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat(parts));
  assert.deepEqual(ids(join(first!, second!, third!)), ['event a', 'event b', 'event c']);
  assert.throws(() => ids(join(first!, third!)), refused(/out of sequence/));
  assert.throws(() => ids(join(second!, first!)), refused(/out of sequence/));
});

test('a record that is no event is refused', () => {
  const writer = new RecordWriter(64);
  writer.begin('head', 1);
  writer.end();
  assert.throws(() => ids(writer.take()), refused(/no event/));
  writer.begin('event', 1);
  writer.end();
  assert.throws(() => ids(writer.take()), refused(/no event/));
});

test('an entry that is too long for a record is refused, and leaves nothing of itself in the next batch', () => {
  const writer = new AuditRecordWriter();
  const long = auditEntry('long', { json: 'x'.repeat(recordBytesMax) });
  assert.throws(() => writer.write([auditEntry('before'), long], []), RangeError);
  assert.throws(() => writer.write([auditEntry('x'.repeat(0x1_0000))], []), RangeError);
  assert.deepEqual(ids(writer.write([auditEntry('after')], [])), ['event after']);
});
