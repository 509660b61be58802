import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../../src/protocol/crc32c.ts';
import {
  readRecord,
  recordBytesMax,
  recordHeaderBytes,
  RecordWriter,
  type SpoolRecord,
} from '../../src/protocol/spool-record.ts';

function record(kind: 'opened' | 'event' | 'head', sequence: number, text: string): Uint8Array<ArrayBuffer> {
  const writer = new RecordWriter(4);
  writer.begin(kind, sequence);
  writer.putText(text);
  writer.end();
  return writer.take();
}

function whole(bytes: Uint8Array<ArrayBuffer>, at = 0): SpoolRecord {
  const read = readRecord(bytes, at);
  if (typeof read === 'string') assert.fail(read);
  return read;
}

test('the octets of a record are these', () => {
  const bytes = record('event', 0x1_0000_0002, 'ä');
  const body = '020000000100000002c3a4';
  const sum = crc32c(Buffer.from(body, 'hex')).toString(16).padStart(8, '0');
  assert.equal(Buffer.from(bytes).toString('hex'), '0000000b' + sum + body);
});

test('records are read one behind the other, as they were written', () => {
  const writer = new RecordWriter(1);
  const written = [
    ['opened', 1, ''],
    ['event', Number.MAX_SAFE_INTEGER, 'x'.repeat(5000)],
    ['head', 0, '😀'],
  ] as const;
  for (const [kind, sequence, text] of written) {
    writer.begin(kind, sequence);
    writer.putText(text);
    writer.end();
  }
  const bytes = writer.take();
  let at = 0;
  for (const [kind, sequence, text] of written) {
    const read = whole(bytes, at);
    assert.deepEqual([read.kind, read.sequence], [kind, sequence]);
    assert.equal(Buffer.from(read.payload).toString(), text);
    at = read.end;
  }
  assert.equal(at, bytes.length);
  assert.equal(writer.take().length, 0);
});

test('what was cut off anywhere is torn', () => {
  const bytes = record('event', 7, 'payload');
  for (let length = 0; length < bytes.length; length += 1) {
    assert.equal(readRecord(bytes.slice(0, length), 0), 'torn', `${length} octets`);
  }
});

test('each changed bit is found', () => {
  const bytes = record('event', 7, 'payload');
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const changed = bytes.slice();
    changed[bit >> 3]! ^= 1 << (bit & 7);
    const read = readRecord(changed, 0);
    // A longer length leads behind the end.
    assert.ok(read === 'corrupt' || (read === 'torn' && bit < 32), `bit ${bit}: ${JSON.stringify(read)}`);
  }
});

/** With the sum that its octets have. */
function summed(hex: string): Uint8Array<ArrayBuffer> {
  const body = Buffer.from(hex, 'hex');
  const bytes = new Uint8Array(8 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  view.setUint32(4, crc32c(body));
  bytes.set(body, 8);
  return bytes;
}

test('a kind that nobody writes, a sequence that no number holds, and an impossible length are corrupt', () => {
  assert.equal(whole(summed('020000000000000001')).sequence, 1);
  assert.equal(readRecord(summed('000000000000000001'), 0), 'corrupt');
  assert.equal(readRecord(summed('040000000000000001'), 0), 'corrupt');
  assert.equal(readRecord(summed('020020000000000000'), 0), 'corrupt');
  assert.equal(readRecord(summed('0200000000000001'), 0), 'corrupt');
  assert.equal(readRecord(new Uint8Array(64), 0), 'corrupt');
  const long = new Uint8Array(recordBytesMax + 64);
  new DataView(long.buffer).setUint32(0, recordBytesMax + 1);
  assert.equal(readRecord(long, 0), 'corrupt');
});

test('the longest record is read, and a longer one is never written nor left half written', () => {
  const longest = recordBytesMax - (recordHeaderBytes - 8);
  assert.equal(whole(record('event', 1, 'x'.repeat(longest))).payload.length, longest);
  const writer = new RecordWriter(1024);
  writer.begin('event', 1);
  writer.putText('x'.repeat(longest + 1));
  assert.throws(() => writer.end(), RangeError);
  writer.begin('event', 1);
  assert.throws(() => writer.putShortText('x'.repeat(0x1_0000)), RangeError);
  writer.drop();
  writer.begin('event', 2);
  writer.end();
  const bytes = writer.take();
  assert.equal(whole(bytes).sequence, 2);
  assert.equal(whole(bytes).end, bytes.length);
});
