// Tables in docs/reference that repeat a table of the source: compared here, rewritten with UPDATE_DOCS=1.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';

/** A Markdown table from a head and rows. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map((row) => line(row))].join('\n');
}

/**
 * Asserts that the text between `<!-- table: name -->` and `<!-- end -->` of a page is this table. With UPDATE_DOCS=1
 * in the environment it writes the table there instead.
 */
export function assertDocsTable(page: string, name: string, expected: string): void {
  const file = new URL(`../../docs/reference/${page}`, import.meta.url);
  const text = readFileSync(file, 'utf8');
  const start = `<!-- table: ${name} -->\n`;
  const from = text.indexOf(start) + start.length;
  const to = text.indexOf('\n<!-- end -->', from - 1);
  assert.ok(from >= start.length && to >= 0, `docs/reference/${page} has no table ${name}`);
  if (process.env.UPDATE_DOCS === '1') {
    writeFileSync(file, text.slice(0, from) + expected + text.slice(Math.max(to, from - 1)));
    return;
  }
  assert.equal(
    text.slice(from, to),
    expected,
    `docs/reference/${page} differs from the source; run: UPDATE_DOCS=1 npm test -- test/protocol\n${expected}`,
  );
}
