import assert from 'node:assert/strict';
import { test } from 'node:test';

import { printable } from '../../src/protocol/printable.ts';

test('what steers a terminal or makes a second line is gone, letters of all scripts stay', () => {
  assert.equal(printable('a\x1b[2Jb\r\nc\u202ed\u0000'), 'a [2Jb c d ');
  assert.equal(printable('Grüße, 世界'), 'Grüße, 世界');
});

test('a long text is cut, and stays well-formed', () => {
  const text = printable('x'.repeat(499) + '😀');
  assert.equal(text.length, 500);
  assert.ok(text.isWellFormed());
});
