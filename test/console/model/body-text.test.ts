import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyText } from '../../../src/console/model/body-text.ts';

test('lines stay lines, and nothing of one orders or hides another', () => {
  const { text, leftOut } = bodyText('{\r\n\t"a": "safe \u202egnp.exe\u0007\u200b"\n}');
  assert.equal(text, '{\n  "a": "safe \\u202egnp.exe\\u0007\\u200b"\n}');
  assert.equal(leftOut, 0);
});

test('however long it is, a bounded part is shown, and the rest is said', () => {
  const { text, leftOut } = bodyText(`${'x'.repeat(1_000_000)}${'\ny'.repeat(5_000)}`);
  assert.ok(text.length < 10_000);
  assert.equal(leftOut, 4_001);
  assert.match(text, /998000 characters more/);
});
