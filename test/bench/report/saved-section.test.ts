import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { replaceSection } from '../../../bench/report/saved-section.ts';

const marked = (text: string): string => `before\n<!-- bench x -->${text}<!-- end of bench x -->\nafter\n`;

describe('what a bench saves', () => {
  it('replaces what stands between its markers and nothing else', () => {
    assert.equal(replaceSection(marked('\n\nold\n\n'), 'x', 'new\n'), marked('\n\nnew\n\n'));
  });

  it('a second time gives the same', () => {
    const once = replaceSection(marked(''), 'x', 'new $& $1');
    assert.equal(replaceSection(once, 'x', 'new $& $1'), once);
    assert.ok(once.includes('new $& $1'));
  });

  it('without one pair of markers in order it writes nothing', () => {
    for (const text of [
      '',
      '<!-- bench x -->',
      '<!-- end of bench x --><!-- bench x -->',
      marked('') + marked(''),
    ])
      assert.throws(() => replaceSection(text, 'x', 'new'), /markers/);
  });

  it('the document has a place for each bench that saves', () => {
    const document = readFileSync(new URL('../../../docs/reference/performance.md', import.meta.url), 'utf8');
    for (const name of ['compare', 'scale', 'idle', 'link', 'peers'])
      assert.ok(replaceSection(document, name, 'text').includes('\n\ntext\n\n'));
  });
});
