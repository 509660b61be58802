// Symbols are taken out of an executable, and what is loaded stays octet by octet.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { stripSymbols } from '../../../scripts/release/strip-symbols.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

/** As the table of sections says (ELF-64, sh_type). */
function sectionTypes(file: Buffer): readonly number[] {
  const table = Number(file.readBigUInt64LE(40));
  return Array.from({ length: file.readUInt16LE(60) }, (_, index) =>
    file.readUInt32LE(table + index * 64 + 4),
  );
}

const isElf = process.platform === 'linux';

test(
  'Node without its symbols is smaller, starts, and differs in nothing that is loaded',
  { skip: !isElf && 'no ELF here' },
  async () => {
    const node = readFileSync(process.execPath);
    const stripped = stripSymbols(node);
    assert.ok(stripped.length < 0.9 * node.length, `${stripped.length} of ${node.length}`);
    // Behind the head, which has the place of the table of sections, all is the same up to what is left out.
    const end = stripped.readBigUInt64LE(40);
    const same = Number(end) - 4_096;
    assert.ok(stripped.subarray(64, same).equals(node.subarray(64, same)));
    const symbols = 2;
    assert.ok(sectionTypes(node).includes(symbols));
    assert.ok(!sectionTypes(stripped).includes(symbols));
    assert.ok(stripSymbols(stripped).equals(stripped));
    await withTemporaryDirectory(async (directory) => {
      const file = join(directory, 'node');
      writeFileSync(file, stripped);
      chmodSync(file, 0o755);
      const { stdout } = spawnSync(file, ['-p', 'new Function("return 6 * 7")()'], {
        encoding: 'utf8',
        env: {},
      });
      assert.equal(stdout, '42\n');
    });
  },
);

test('what is no such file is refused', () => {
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('#!/bin/sh\n'),
    Buffer.from('\x7fELF'.padEnd(100, '\0'), 'latin1'),
  ])
    assert.throws(() => stripSymbols(bytes), /no ELF file of 64 bits/);
});

test(
  'a loaded section behind one that is not is refused, and not lost',
  { skip: !isElf && 'no ELF here' },
  () => {
    const node = readFileSync(process.execPath);
    const table = Number(node.readBigUInt64LE(40));
    // The first section behind the empty one loses its flag.
    node.writeBigUInt64LE(0n, table + 64 + 8);
    assert.throws(() => stripSymbols(node), /stands behind one that is not/);
  },
);
