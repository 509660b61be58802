import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ProcessHolders } from '../../src/store/process-holders.ts';
import { openSqliteStore } from '../../src/store/sqlite/sqlite-store.ts';
import { auditEntry } from '../conformance/audit.ts';

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'upstreamproxy-holder-'));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const code = (text: string): string => `
  import { ProcessHolders } from ${JSON.stringify(new URL('../../src/store/process-holders.ts', import.meta.url).href)};
  import { openSqliteStore } from ${JSON.stringify(new URL('../../src/store/sqlite/sqlite-store.ts', import.meta.url).href)};
  ${text}
  setInterval(() => {}, 1000);
`;

/** A process of its own that says a line and then waits to be killed. */
async function otherProcess(text: string): Promise<{ readonly said: string; kill(): Promise<void> }> {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', code(text)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = await once(child.stdout, 'data');
  return {
    said: String(said).trim(),
    kill: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

test('a holder is there as long as its process, and is told to be gone as soon as that is killed', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'state.db');
    const holders = new ProcessHolders(path);
    // Kept: what nobody refers to is collected, and its lock with it.
    const other = await otherProcess(
      `globalThis.kept = new ProcessHolders(${JSON.stringify(path)}); console.log(globalThis.kept.own());`,
    );
    try {
      assert.match(other.said, /^[0-9a-f-]{36}$/);
      assert.equal(holders.hasEnded(other.said), false);
      holders.sweep();
      assert.equal(holders.hasEnded(other.said), false);
    } finally {
      await other.kill();
    }
    assert.equal(holders.hasEnded(other.said), true);
    assert.equal((await readdir(folder)).length, 1);
    holders.sweep();
    assert.deepEqual(await readdir(folder), []);
  }));

test('the own holder has a file of mode 0600 until it is closed, twice', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'state.db');
    const holders = new ProcessHolders(path);
    const another = new ProcessHolders(path);
    const id = holders.own();
    assert.equal(holders.own(), id);
    assert.equal(holders.hasEnded(id), false);
    assert.equal(another.hasEnded(id), false);
    another.sweep();
    const [name] = await readdir(folder);
    assert.equal(((await lstat(join(folder, name!))).mode & 0o777).toString(8), '600');
    holders.close();
    holders.close();
    assert.equal(another.hasEnded(id), true);
    assert.deepEqual(await readdir(folder), []);
  }));

test('an id that is none, a link and a text file are nobody, and stay as they are', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'state.db');
    const holders = new ProcessHolders(path);
    const id = '01234567-89ab-cdef-0123-456789abcdef';
    await writeFile(join(folder, 'text'), 'no database');
    await symlink(join(folder, 'text'), `${path}-holder-${id}`);
    assert.equal(holders.hasEnded('../text'), true);
    assert.equal(holders.hasEnded(id), true);
    holders.sweep();
    assert.deepEqual((await readdir(folder)).length, 2);
  }));

test('a folder that takes no file is said', () =>
  inFolder(async (folder) => {
    const holders = new ProcessHolders(join(folder, 'none', 'state.db'));
    assert.throws(() => holders.own(), { code: 'store_unavailable' });
    assert.throws(() => holders.sweep(), { code: 'store_unavailable' });
  }));

test('what a killed process left open is found by the next, that of a running one is not', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'state.db');
    const entry = auditEntry('b', { verdict: 'unknown' });
    const leave = (name: string): string => `
      const store = await openSqliteStore(${JSON.stringify(path)});
      const entry = ${JSON.stringify(entry)};
      // Once directly and once more by the thread.
      for (let i = 0; i < 25; i += 1)
        await store.audit.append([], [{ ...entry, id: '${name}', json: entry.json.replace('"b"', '"${name}"') }]);
      console.log('left');`;
    await using store = await openSqliteStore(path);
    const killed = await otherProcess(leave('killed'));
    const running = await otherProcess(leave('running'));
    try {
      assert.deepEqual(await store.audit.leftOpen(10), []);
      await killed.kill();
      assert.deepEqual(
        (await store.audit.leftOpen(10)).map(({ id, verdict }) => [id, verdict]),
        [['killed', 'unknown']],
      );
      await store.audit.append([{ ...entry, id: 'killed', wasOpen: true }]);
      assert.deepEqual(await store.audit.leftOpen(10), []);
    } finally {
      await running.kill();
    }
    assert.equal((await store.audit.leftOpen(10)).length, 1);
  }));

test('a store that is closed with something open leaves it for the next', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'state.db');
    {
      await using store = await openSqliteStore(path);
      await store.audit.append([], [auditEntry('a', { verdict: 'unknown' })]);
    }
    await using store = await openSqliteStore(path);
    assert.equal((await store.audit.leftOpen(10)).length, 1);
  }));
