// What V8 compiles ahead is the same each time, and a start takes it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const compiler = fileURLToPath(new URL('../../../scripts/compile-program.cjs', import.meta.url));
// With many names that functions share, V8 keeps a table, whose order is another with another seed.
const names = Array.from({ length: 200 }, (_, at) => `name${at}`);
const functions = names.map((name, at) => `function ${name}() { return name${(at + 1) % names.length}; }`);
const source = `(function () {${functions.join('')} return name0; })`;

test('a program that is compiled twice gives the same bytes, which a start without flags takes', async () => {
  await withTemporaryDirectory((directory) => {
    for (const piece of ['one', 'other']) writeFileSync(join(directory, piece), source);
    const args = ['--random-seed=1', compiler];
    const compiled = [['one', 'other'], ['one']].map((names) => {
      const { status, stderr } = spawnSync(process.execPath, [...args, ...names], {
        cwd: directory,
        encoding: 'utf8',
      });
      assert.equal(status, 0, stderr);
      return readFileSync(join(directory, 'one.compiled'));
    });
    assert.ok(readFileSync(join(directory, 'other.compiled')).length > 0);
    assert.ok(compiled[0]?.equals(compiled[1] ?? Buffer.alloc(0)));
    const script = new Script(source, { filename: 'upstreamproxy', cachedData: compiled[0] });
    assert.equal(script.cachedDataRejected, false);
    return Promise.resolve();
  });
});
