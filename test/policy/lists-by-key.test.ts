import assert from 'node:assert/strict';
import { test } from 'node:test';

import { append } from '../../src/policy/lists-by-key.ts';

test('one stands once under a key, behind those before it', () => {
  const map = new Map<string, string[]>();
  for (const one of ['a', 'a', 'b', 'b']) append(map, 'k', one);
  append(map, 'l', 'b');
  assert.deepEqual([map.get('k'), map.get('l')], [['a', 'b'], ['b']]);
});
