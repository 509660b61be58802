// Text of a workload: what would hide, reorder or overwrite other text is seen as an escape.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomTexts } from '../support/random-texts.ts';
import { cleanText, plainText } from '../../../src/console/model/clean-text.ts';

test('characters that act on text stand as escapes', () => {
  for (const [text, shown] of [
    ['plain /v1/items?a=ä', 'plain /v1/items?a=ä'],
    ['a\nb\tc', String.raw`a\nb\tc`],
    ['file\u202egnp.exe', String.raw`file\u202egnp.exe`],
    ['\u2066x\u2069', String.raw`\u2066x\u2069`],
    ['zero\u200bwidth\u00ad', String.raw`zero\u200bwidth\u00ad`],
    ['\u001b[31mred\u0007', String.raw`\u001b[31mred\u0007`],
    ['tag\u{e0041}', String.raw`tag\u{e0041}`],
    ['no\u00a0break', String.raw`no\u00a0break`],
    ['\ud800 alone', String.raw`\ud800 alone`],
    ['join\u034fer\ufe0f\u{e0100}\u17b4', String.raw`join\u034fer\ufe0f\u{e0100}\u17b4`],
    ['blank\u3164\u2800', String.raw`blank\u3164\u2800`],
    ['e' + '\u0301'.repeat(5), `e${'\u0301'.repeat(3)}${String.raw`\u0301\u0301`}`],
  ] as const)
    assert.equal(plainText(text), shown);
});

test('a long text is cut, and it is said by how much', () => {
  const { pieces, leftOut } = cleanText('x'.repeat(1000), 100);
  assert.equal(pieces.map(({ text }) => text).join('').length, 100);
  assert.equal(leftOut, 900);
  assert.equal(plainText('x'.repeat(12), 10), `${'x'.repeat(10)}… (2 characters more)`);
  // Never in the middle of a character.
  assert.equal(cleanText('ab😀', 3).pieces[0]?.text, 'ab');
});

test('whatever the text, nothing of what is shown acts on text', () => {
  for (const text of randomTexts({ seed: 16, count: 2000, lengthMax: 600 })) {
    const shown = plainText(text);
    assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}\p{DI}\p{Zl}\p{Zp}\p{Cs}]/u);
    assert.ok(shown.length < 400 * 10 + 40);
  }
});
