import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortHash } from '../../src/policy/short-hash.ts';

test('other text, other order and other borders give other hashes of 16 digits', () => {
  const inputs = [[], [''], ['a'], ['b'], ['ab'], ['a', 'b'], ['b', 'a'], ['a', '', 'b'], ['ａ']];
  const hashes = inputs.map((texts) => shortHash(texts));
  assert.equal(new Set(hashes).size, inputs.length);
  for (const hash of hashes) assert.match(hash, /^[0-9a-f]{16}$/);
  assert.equal(shortHash(['a']), shortHash(['a']));
});
