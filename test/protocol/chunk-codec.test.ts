import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeChunk, encodeChunk } from '../../src/protocol/chunk-codec.ts';

interface ChunkVector {
  readonly name: string;
  readonly hex: string;
  readonly data?: string;
  readonly code?: string;
  readonly canonical?: boolean;
}

const { vectors } = JSON.parse(readFileSync(new URL('../vectors/chunks.json', import.meta.url), 'utf8')) as {
  vectors: ChunkVector[];
};

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

describe('chunk vectors', () => {
  for (const { name, hex, data, code, canonical } of vectors) {
    if (data === undefined) {
      test(`${name} is ${code}`, () => {
        assert.throws(() => decodeChunk(bytesOf(hex)), { name: 'ProxyError', code });
      });
      continue;
    }
    test(`${name} is decoded`, () => {
      assert.equal(hexOf(decodeChunk(bytesOf(hex))), data);
      if (canonical === true) assert.equal(hexOf(Buffer.concat(encodeChunk(bytesOf(data)))), hex);
    });
  }
});

describe('the chunk codec', () => {
  test('gives back what was encoded, around each length of the length', () => {
    for (const length of [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
      const data = new Uint8Array(length).fill(0xa5);
      const message = new Uint8Array(Buffer.concat(encodeChunk(data)));
      assert.equal(Buffer.compare(decodeChunk(message), data), 0, `length ${length}`);
    }
  });

  test('copies data neither way', () => {
    const data = new Uint8Array(200);
    assert.equal(encodeChunk(data)[1], data);
    const message = new Uint8Array(Buffer.concat(encodeChunk(data)));
    assert.equal(decodeChunk(message).buffer, message.buffer);
  });

  test('responses any bytes with data or with frame_malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (message) => {
        try {
          assert.ok(decodeChunk(message).length <= message.length);
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'frame_malformed');
        }
      }),
      { numRuns: 2000 },
    );
  });
});
