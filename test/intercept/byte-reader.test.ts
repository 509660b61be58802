import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteReader, ByteReaderError } from '../../src/intercept/byte-reader.ts';

describe('a byte reader', () => {
  test('reads numbers, vectors and the rest in order', () => {
    const reader = new ByteReader(Uint8Array.of(1, 0x12, 0x34, 1, 0, 0, 2, 7, 8, 0, 1, 9, 5, 6));
    assert.equal(reader.number(1), 1);
    assert.equal(reader.number(2), 0x1234);
    assert.equal(reader.number(3), 0x010000);
    assert.deepEqual(reader.vector(1).rest(), Uint8Array.of(7, 8));
    assert.deepEqual(reader.vector(2).rest(), Uint8Array.of(9));
    assert.equal(reader.remaining, 2);
    assert.deepEqual(reader.rest(), Uint8Array.of(5, 6));
    assert.equal(reader.remaining, 0);
  });

  test('never reads beyond its end', () => {
    assert.throws(() => new ByteReader(Uint8Array.of(1)).number(2), ByteReaderError);
    assert.throws(() => new ByteReader(Uint8Array.of(2, 1)).vector(1), ByteReaderError);
    assert.throws(() => new ByteReader(Uint8Array.of(0xff, 0xff, 1)).vector(2), ByteReaderError);
    const inner = new ByteReader(Uint8Array.of(1, 7, 8)).vector(1);
    assert.throws(() => inner.take(2), ByteReaderError);
  });
});
