import assert from 'node:assert/strict';
import { test } from 'node:test';

import { fieldLine, isToken } from '../../src/http/field-line.ts';

test('a field is one line', () => {
  assert.equal(fieldLine('X-A', 'b c\té'), 'X-A: b c\té\r\n');
});

test('what would be more than one field is written nowhere, and its value is not told', () => {
  for (const value of ['secret\r\nB: c', 'secret\n', 'secret\r', 'secret\0', 'secret\u0100'])
    assert.throws(
      () => fieldLine('A', value),
      (error: Error) => !error.message.includes('secret'),
    );
  for (const name of ['', 'a b', 'a:', 'a\r\n', 'é']) assert.throws(() => fieldLine(name, 'x'));
});

test('a token has no separators', () => {
  assert.deepEqual(['GET', 'a!', '', 'a b', 'a/b'].map(isToken), [true, true, false, false, false]);
});
