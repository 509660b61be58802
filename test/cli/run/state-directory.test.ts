import assert from 'node:assert/strict';
import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { processPlace } from '../../../src/agent/kernel/process-mark.ts';
import { makeRunDirectory, stateHome } from '../../../src/cli/run/state-directory.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

test('the state folder follows XDG_STATE_HOME, and ignores one that is relative', () => {
  assert.equal(stateHome({ XDG_STATE_HOME: '/x', HOME: '/home/u' }), '/x/upstreamproxy');
  assert.equal(stateHome({ XDG_STATE_HOME: 'x', HOME: '/home/u' }), '/home/u/.local/state/upstreamproxy');
  assert.equal(stateHome({ HOME: '/home/u' }), '/home/u/.local/state/upstreamproxy');
});

test('a run gets a folder of its own that nobody else can enter', async () => {
  await withTemporaryDirectory(async (home) => {
    const first = await makeRunDirectory(home, 0);
    const second = await makeRunDirectory(home, 0);
    assert.notEqual(first, second);
    for (const path of [first, second, join(home, 'runs')])
      assert.equal((await stat(path)).mode & 0o777, 0o700);
  });
});

test('only the latest twenty runs are kept', async () => {
  await withTemporaryDirectory(async (home) => {
    let last = '';
    for (let i = 0; i < 25; i += 1) {
      last = await makeRunDirectory(home, i * 1000, '');
      await writeFile(join(last, 'audit.jsonl'), '');
    }
    const left = (await readdir(join(home, 'runs'))).sort();
    assert.equal(left.length, 20);
    assert.ok(last.endsWith(left.at(-1)!));
    assert.match(left[0]!, /^1970-01-01T00-00-05/);
  });
});

test('a run that goes on is kept, however many came after it', async () => {
  await withTemporaryDirectory(async (home) => {
    const going = await makeRunDirectory(home, 0);
    // By a process that there cannot be.
    const ended = await makeRunDirectory(home, 1, `${processPlace() ?? ''}-4194305-1`);
    for (let i = 0; i < 25; i += 1) await makeRunDirectory(home, 1000 + i, '');
    assert.equal((await stat(going)).isDirectory(), true);
    await assert.rejects(stat(ended), { code: 'ENOENT' });
  });
});

test('a state folder that is a link or a file is refused with what to do', async () => {
  await withTemporaryDirectory(async (directory) => {
    await mkdir(join(directory, 'elsewhere'));
    await mkdir(join(directory, 'a'));
    await symlink(join(directory, 'elsewhere'), join(directory, 'a', 'runs'));
    await writeFile(join(directory, 'file'), '');
    for (const home of [join(directory, 'a'), join(directory, 'file')]) {
      await assert.rejects(makeRunDirectory(home, 0), (error: unknown) => {
        assert.ok(error instanceof ProxyError);
        assert.equal(error.code, 'config_invalid');
        assert.match(error.message, /XDG_STATE_HOME/);
        return true;
      });
    }
  });
});
