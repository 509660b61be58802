import assert from 'node:assert/strict';
import { test } from 'node:test';

import { joinedBytes } from '../../src/http/joined-bytes.ts';

test('pieces become one copy, in order', () => {
  const piece = Uint8Array.of(1, 2);
  const joined = joinedBytes([piece, Uint8Array.of(), Uint8Array.of(3)]);
  piece[0] = 9;
  assert.deepEqual([...joined], [1, 2, 3]);
  assert.equal(joined.buffer.byteLength, 3);
  assert.equal(joinedBytes([]).length, 0);
});
