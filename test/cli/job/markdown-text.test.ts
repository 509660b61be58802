import assert from 'node:assert/strict';
import { test } from 'node:test';

import { markdownBlock, markdownCode, markdownText } from '../../../src/cli/job/markdown-text.ts';

test('no character of a stranger is a mark of Markdown, HTML, a link or a mention', () => {
  const hostile = '|`*_[x](https://e.test)<img src=x>@acme #1 www.e.test\n\u202e\\';
  const text = markdownText(hostile);
  assert.match(text, /^(?:[A-Za-z0-9 ]|&#\d+;)+$/);
  const seen = text.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)));
  assert.equal(seen, '|`*_[x](https://e.test)<img src=x>@acme #1 www.e.test\\u{a}\\u{202e}\\');
  assert.equal(markdownCode('a.b'), '<code>a&#46;b</code>');
  assert.ok(markdownText('x'.repeat(10_000)).length < 200);
});

test('a block of code ends behind its text, whatever fences are in it', () => {
  assert.equal(markdownBlock('a: 1\n', 'yaml'), '```yaml\na: 1\n```\n');
  assert.equal(markdownBlock('```\n````', ''), '`````\n```\n````\n`````\n');
});
