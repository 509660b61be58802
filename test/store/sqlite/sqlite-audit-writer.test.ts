import assert from 'node:assert/strict';
import { mkdtempSync, watch } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { startAuditWriter, writeAudit } from '../../../src/store/sqlite/sqlite-audit-writer.ts';
import { SqliteDatabase } from '../../../src/store/sqlite/sqlite-database.ts';
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts';
import { AuditRecordWriter } from '../../../src/store/audit-records.ts';
import type { AuditBatch } from '../../../src/store/sqlite/sqlite-audit-writer.ts';
import type { AuditEntry } from '../../../src/store/store.ts';
import { auditEntry } from '../../conformance/audit.ts';
import { patienceMs } from '../../support/patience.ts';

/** SQLite asks for it once, before its first database. */
const temporary = mkdtempSync(join(tmpdir(), 'upstreamproxy-sqlite-'));
process.env['SQLITE_TMPDIR'] = temporary;
after(() => rm(temporary, { recursive: true }));

const batchOf = (entries: readonly AuditEntry[]): AuditBatch => ({
  records: new AuditRecordWriter().write(entries, []),
  holder: '',
});

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
    const deadlineMs = performance.now() + patienceMs;
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

test('the thread stores its batches in order, and the same batch twice once', () =>
  inFolder(async (path) => {
    await using store = await openSqliteStore(path);
    const writer = startAuditWriter(path);
    const entries = Array.from({ length: 30 }, (_, i) => auditEntry(`event ${i}`));
    await Promise.all(entries.map((entry) => writer.append(batchOf([entry]))));
    await writer.append(batchOf(entries.slice(0, 3)));
    await writer.close();
    const stored = await store.audit.query({ limit: 100 });
    assert.deepEqual(
      stored.map(({ id }) => id),
      entries.map(({ id }) => id),
    );
  }));

test('the thread removes old events, and gives how many', () =>
  inFolder(async (path) => {
    await using store = await openSqliteStore(path);
    const writer = startAuditWriter(path);
    await writer.append(batchOf(['1', '2', '3'].map((id) => auditEntry(id))));
    assert.equal(await writer.prune({ keepEvents: 1, batch: 10 }, []), 2);
    await writer.close();
    await assert.rejects(writer.prune({ keepEvents: 1, batch: 10 }, []), /has ended/);
    const stored = await store.audit.query({ limit: 100 });
    assert.deepEqual(
      stored.map(({ id }) => id),
      ['3'],
    );
  }));

test('the thread keeps what a large statement could have to undo in memory, not in a file', () =>
  inFolder(async (path) => {
    await using store = await openSqliteStore(path);
    const made: (string | null)[] = [];
    const watcher = watch(temporary, (_, name) => made.push(name));
    try {
      // Enough that the pages that they change do not fit into what SQLite keeps in any case.
      const many = (name: string): AuditEntry[] =>
        Array.from({ length: 512 }, (_, i) => auditEntry(`${name} ${i}`));
      const writer = startAuditWriter(path);
      await writer.append(batchOf(many('first')));
      await writer.append(batchOf(many('second')));
      await writer.close();
      await wait(100);
      assert.deepEqual(made, []);
      // The control: a connection that was not told so makes a file.
      using plain = await SqliteDatabase.open(path, 'normal');
      writeAudit(plain, batchOf(many('third')));
      const deadlineMs = performance.now() + patienceMs;
      while (made.length === 0 && performance.now() < deadlineMs) await wait(20);
      assert.ok(made.length > 0);
    } finally {
      watcher.close();
    }
    assert.equal((await store.audit.query({ limit: 2000 })).length, 3 * 512);
  }));

test('what was given before the thread is closed is stored', () =>
  inFolder(async (path) => {
    await using store = await openSqliteStore(path);
    const writer = startAuditWriter(path);
    const appended = writer.append(batchOf([auditEntry('last')]));
    await writer.close();
    await appended;
    assert.equal((await store.audit.query({ limit: 10 })).length, 1);
    assert.equal(writer.isRunning, false);
    await assert.rejects(writer.append(batchOf([auditEntry('late')])), { code: 'store_unavailable' });
  }));

test('a batch that the file does not take is refused with the reason, and the thread goes on', () =>
  inFolder(async (path) => {
    await using store = await openSqliteStore(path);
    const writer = startAuditWriter(path);
    const wrong = { ...auditEntry('wrong'), timeMs: 'no number' as unknown as number };
    await assert.rejects(writer.append(batchOf([wrong])), {
      code: 'store_unavailable',
      message: /time_ms/,
    });
    await writer.append(batchOf([auditEntry('right')]));
    await writer.close();
    assert.equal((await store.audit.query({ limit: 10 })).length, 1);
  }));

test('a batch whose records are damaged stores nothing of it, and the thread goes on', () =>
  inFolder(async (path) => {
    await using store = await openSqliteStore(path);
    const writer = startAuditWriter(path);
    const batch = batchOf([auditEntry('whole'), auditEntry('damaged')]);
    batch.records[batch.records.length - 1]! ^= 1;
    await assert.rejects(writer.append(batch), { code: 'store_unavailable', message: /corrupt/ });
    await writer.append(batchOf([auditEntry('right')]));
    await writer.close();
    assert.deepEqual(
      (await store.audit.query({ limit: 10 })).map(({ id }) => id),
      ['right'],
    );
  }));

test('a thread whose file cannot be opened ends and refuses what it was given', () =>
  inFolder(async (path) => {
    await writeFile(path, '', { mode: 0o644 });
    const writer = startAuditWriter(path);
    await assert.rejects(writer.append(batchOf([auditEntry('lost')])), { code: 'store_unavailable' });
    assert.equal(writer.isRunning, false);
    await Promise.all([writer.close(), writer.close()]);
  }));
