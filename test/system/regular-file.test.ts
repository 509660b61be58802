import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { copyRegularFile, readRegularFile } from '../../src/system/regular-file.ts';
import { mustRun } from '../support/command.ts';
import { patienceMs } from '../support/patience.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

test('a file is read up to its bound, and a pipe, a device and a folder not at all', async () => {
  await withTemporaryDirectory(async (directory) => {
    const [file, pipe] = [join(directory, 'file'), join(directory, 'pipe')];
    await writeFile(file, 'four');
    await mustRun('mkfifo', [pipe]);
    assert.equal(await readRegularFile(file, 4), 'four');
    assert.equal(await readRegularFile(file, 3), undefined);
    // Its length says nothing.
    assert.equal((await stat('/proc/self/maps')).size, 0);
    assert.equal(await readRegularFile('/proc/self/maps', 10), undefined);
    for (const path of [pipe, '/dev/zero'])
      await assert.rejects(readRegularFile(path, 4), /not a regular file/);
    await assert.rejects(readRegularFile(directory, 4), { code: 'EISDIR' });
  });
});

test('a file is copied to a new one, and a pipe not at all', async () => {
  await withTemporaryDirectory(async (directory) => {
    const at = (name: string): string => join(directory, name);
    const signal = AbortSignal.timeout(patienceMs);
    await writeFile(at('file'), 'four', { mode: 0o600 });
    await writeFile(at('empty'), '');
    await mustRun('mkfifo', [at('pipe')]);
    await copyRegularFile(at('file'), at('copy'), signal);
    assert.deepEqual(
      [await readFile(at('copy'), 'utf8'), (await stat(at('copy'))).mode & 0o777],
      ['four', 0o600],
    );
    await copyRegularFile(at('empty'), at('none'), signal);
    assert.equal(await readFile(at('none'), 'utf8'), '');
    await assert.rejects(copyRegularFile(at('file'), at('copy'), signal), { code: 'EEXIST' });
    await assert.rejects(copyRegularFile(at('pipe'), at('other'), signal), /not a regular file/);
  });
});
