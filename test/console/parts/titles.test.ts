// Titles and labels are drawn by the browser, past every element: what others wrote goes through `plainText` there too.

import assert from 'node:assert/strict';
import { readFileSync, globSync } from 'node:fs';
import { test } from 'node:test';

/** Texts of our own. */
const own = new Set([
  'needs',
  'label',
  'pausedText(state)',
  'new Date(ms).toISOString()',
  'markNames[of]',
  'example',
  'placeholder',
]);
const attribute = /\b(?:title|aria-label|placeholder|alt)=\{([^{}]+|[^{}]*\$\{[^{}]*\}[^{}]*)\}/g;

/** What of a source text stands in such an attribute and is neither a literal nor clean. */
function rawTitles(text: string): readonly string[] {
  return [...text.matchAll(attribute)]
    .map(([, value = '']) => value.trim())
    .filter(
      (value) =>
        !own.has(value) &&
        !value.includes('plainText(') &&
        !/^[^?]*\? undefined : '[^']*'$/.test(value) &&
        !/^`[^`$]*(?:\$\{(?:held|name|facts\.length)\}[^`$]*)*`$/.test(value),
    );
}

test('what is drawn as a title or a label is a text of our own or clean', () => {
  assert.deepEqual(rawTitles('<a title={principal} aria-label={`of ${principal}`} />'), [
    'principal',
    '`of ${principal}`',
  ]);
  const files = globSync('src/console/**/*.tsx', { cwd: `${import.meta.dirname}/../../..` });
  assert.ok(files.length > 30);
  const found = files.flatMap((file) =>
    rawTitles(readFileSync(`${import.meta.dirname}/../../../${file}`, 'utf8')).map(
      (value) => `${file}: ${value}`,
    ),
  );
  assert.deepEqual(found, []);
});
