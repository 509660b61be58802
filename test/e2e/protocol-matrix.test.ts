// The protocol matrix with a small upload: real clients, real agent and gateway, real origins. `npm run test:protocols` is
// the whole of it and prints the table.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { skipWithout } from '../support/tools.ts';
import { matrixCases } from './protocol-matrix/cases.ts';
import { runRow, tableHead } from './protocol-matrix/matrix.ts';
import { openScene } from './protocol-matrix/scene.ts';

const uploadBytes = 2 * 1024 * 1024;

test(
  'every protocol passes in every combination of versions',
  { skip: skipWithout('curl', 'nghttp') },
  async (context) => {
    await using scene = await openScene(uploadBytes);
    for (const row of matrixCases) {
      await context.test(row.name, async () => {
        const { cells } = await runRow(row, scene);
        for (const cell of cells) if (cell.state === 'failed') throw cell.error;
        assert.ok(cells.some(({ state }) => state === 'ok'));
      });
    }
  },
);

test('the table of the documentation has these rows and columns, all of them green', async () => {
  const text = await readFile(new URL('../../docs/reference/protocols.md', import.meta.url), 'utf8');
  assert.ok(text.includes(tableHead()));
  for (const { name, absent } of matrixCases) {
    const [, line = ''] =
      new RegExp(`^\\| ${name.replaceAll(/[()]/g, '\\$&')} \\| (.*) \\|$`, 'm').exec(text) ?? [];
    const cells = line.split(' | ').slice(0, 4);
    assert.equal(cells.length, 4, name);
    for (const cell of cells) assert.match(cell, absent === undefined ? /^ok\b/ : /^(?:ok|–)$/, name);
  }
});
