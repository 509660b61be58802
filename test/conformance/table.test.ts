import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { suites } from './suites.ts';
import { tableHead } from './table.ts';

/** Never to be had where this project is built: their rows have dashes. */
const neverRun: ReadonlySet<string> = new Set(['autobahn']);

test('the table of the documentation has a dated row for each suite, with its expected deviations', async () => {
  const text = await readFile(new URL('../../docs/reference/protocols.md', import.meta.url), 'utf8');
  const [, section = ''] = text.split('\n## Conformance\n');
  assert.match(section, /As of \d{4}-\d\d-\d\d:/);
  assert.ok(section.includes(tableHead()));
  for (const { name, about, deviations } of suites) {
    const row = section.split('\n').find((line) => line.startsWith(`| ${name} | ${about} |`));
    if (neverRun.has(name)) {
      assert.match(row ?? '', /\| – \| – \| – \|$/);
      continue;
    }
    const [passed, expected] = (row ?? '').split(' | ').slice(2, 4).map(Number);
    assert.ok(passed !== undefined && passed > 0, name);
    assert.equal(expected, deviations.flatMap(({ cases }) => cases).length, name);
  }
});
