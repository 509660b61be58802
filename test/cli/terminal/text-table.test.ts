import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonLine, printableText, textTable } from '../../../src/cli/terminal/text-table.ts';

test('columns are as wide as their widest cell, and lines end behind the last one', () => {
  assert.equal(
    textTable([
      ['id', 'state'],
      ['abcd', 'x'],
    ]),
    'id    state\nabcd  x\n',
  );
  assert.equal(textTable([]), '');
});

test('text of strangers cannot act on a terminal, and is bounded', () => {
  const shown = printableText('\u001b[2Jhello\r\nworld \u{202e}\u{1f600}');
  assert.equal(shown, '\\u{1b}[2Jhello\\u{d}\\u{a}world \\u{202e}\\u{1f600}');
  assert.equal(printableText('x'.repeat(500)).length, 120);
});

test('JSON is ASCII and means the same', () => {
  const value = { reason: '\u009b2J \u{202e} \u{1f600} \u007f', plain: 'x' };
  const line = jsonLine(value);
  assert.match(line, /^[\x20-\x7e]+\n$/);
  assert.deepEqual(JSON.parse(line), value);
});
