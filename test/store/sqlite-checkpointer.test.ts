import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { startCheckpointer } from '../../src/store/sqlite-checkpointer.ts';
import { openSqliteStore } from '../../src/store/sqlite-store.ts';
import { auditEntry } from '../conformance/store.ts';

async function inFolder(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'upstreamproxy-checkpoint-'));
  try {
    await body(join(folder, 'state.db'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('what is appended for a while gets into the database file while the store is open', () =>
  inFolder(async (path) => {
    await using store = await openSqliteStore(path);
    const { size } = await stat(path);
    for (let batch = 0; batch < 25; batch += 1) await store.audit.append([auditEntry(`event ${batch}`)]);
    const deadlineMs = performance.now() + 10_000;
    // Without the thread the file stays as it is until 64 MiB are written.
    while ((await stat(path)).size === size && performance.now() < deadlineMs) await wait(20);
    assert.ok((await stat(path)).size > size);
    assert.equal((await store.audit.query({ limit: 100 })).length, 25);
  }));

test('after closing, twice, no thread is left', () =>
  inFolder(async (path) => {
    const store = await openSqliteStore(path);
    const threads = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === 'MessagePort').length;
    const before = threads();
    for (let batch = 0; batch < 25; batch += 1) await store.audit.append([auditEntry(`event ${batch}`)]);
    await store.close();
    await store.close();
    assert.equal(threads(), before);
  }));

test('a file that cannot be opened harms nobody', () =>
  inFolder(async (path) => {
    const checkpointer = startCheckpointer(join(path, 'no', 'such', 'file'));
    await Promise.all([checkpointer.close(), checkpointer.close()]);
  }));
