import assert from 'node:assert/strict';
import test from 'node:test';

import { printable } from '../../src/http/printable.ts';

test('foreign text cannot act on a terminal or end a log line', () => {
  assert.equal(printable('a\r\n\x1b[2J\u2028"\\'), String.raw`"a\u000d\u000a\u001b[2J\u2028\"\\"`);
});

test('long text is cut with a mark', () => {
  assert.equal(printable('x'.repeat(5000)), `"${'x'.repeat(100)}…"`);
});
