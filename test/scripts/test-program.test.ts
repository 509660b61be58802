import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { openRunFolder } from '../../scripts/test-program.ts';
import { mustRun } from '../support/command.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('a run has a compiled program of its own until it ends, and removes what a killed one left the day before', async () => {
  const caches = join(root, 'node_modules', '.cache');
  const [left, running] = [join(caches, 'test-run-left'), join(caches, 'test-run-running')];
  try {
    await mkdir(join(left, 'package'), { recursive: true });
    await mkdir(running, { recursive: true });
    const before = new Date(Date.now() - 25 * 3_600_000);
    await utimes(left, before, before);
    let path: string;
    {
      await using folder = await openRunFolder(root);
      ({ path } = folder);
      assert.deepEqual([existsSync(left), existsSync(running)], [false, true]);
      const program = join(path, 'package');
      assert.deepEqual(
        [existsSync(join(program, 'src')), existsSync(join(program, 'dist/cli/main.js'))],
        [false, true],
      );
      assert.match(await mustRun(join(program, 'bin/upstreamproxy'), ['version']), /^upstreamproxy [0-9.]+ /);
    }
    assert.equal(existsSync(path), false);
  } finally {
    await rm(left, { recursive: true, force: true });
    await rm(running, { recursive: true, force: true });
  }
});
