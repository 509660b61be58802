import assert from 'node:assert/strict';
import test from 'node:test';

import {
  applyMask,
  decodeClose,
  encodeClose,
  headerLength,
  writeHeader,
} from '../../src/net/websocket-frame.ts';

import { rawFrame, testMask } from './websocket-frames.ts';

test('a mask gives the same bytes at every alignment, length and phase', () => {
  for (let offset = 0; offset < 8; offset += 1) {
    for (const length of [0, 1, 3, 4, 5, 31, 32, 33, 63, 64, 100, 1000]) {
      for (let phase = 0; phase < 4; phase += 1) {
        const plain = Uint8Array.from({ length }, (_, i) => (i * 31 + offset) & 0xff);
        const buffer = new Uint8Array(offset + length + 5).fill(0xaa);
        buffer.set(plain, offset);
        applyMask(buffer.subarray(offset, offset + length), testMask, phase);
        const expected = new Uint8Array(offset + length + 5).fill(0xaa);
        expected.set(
          plain.map((byte, i) => byte ^ testMask[(i + phase) % 4]!),
          offset,
        );
        assert.deepEqual(buffer, expected, `offset ${offset}, length ${length}, phase ${phase}`);
      }
    }
  }
});

test('a header is the one that RFC 6455 draws, for each form of length and with a mask', () => {
  for (const length of [0, 1, 125, 126, 65_535, 65_536, 1_048_576]) {
    for (const mask of [undefined, testMask]) {
      const expected = rawFrame({ opcode: 2, claimedLength: BigInt(length), mask });
      const target = Buffer.alloc(20);
      const end = writeHeader(target, 3, { opcode: 2, length, ...(mask !== undefined && { mask }) });
      assert.deepEqual(target.subarray(3, end), expected);
      assert.equal(headerLength(length, mask !== undefined), expected.length);
    }
  }
});

test('a close reason that is too long is cut between characters', () => {
  for (const prefix of ['', 'x', 'xx']) {
    const payload = encodeClose(1000, `${prefix}${'€'.repeat(60)}`);
    assert.ok(payload.length <= 125);
    const { code, reason } = decodeClose(payload);
    assert.equal(code, 1000);
    assert.match(reason, /^x{0,2}€{40,41}$/);
  }
});

test('a close reason that fits is kept', () => {
  assert.deepEqual(decodeClose(encodeClose(1011, 'trouble ✓')), { code: 1011, reason: 'trouble ✓' });
  assert.deepEqual(decodeClose(encodeClose(1011, 'y'.repeat(123))), { code: 1011, reason: 'y'.repeat(123) });
});
