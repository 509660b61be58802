import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { exportAudit } from '../../../src/cli/operator/audit-export.ts';
import { eventsOfPeriod } from '../../../src/cli/operator/audit-records.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { AuditEntry, AuditStore } from '../../../src/store/store.ts';
import { auditEntry } from '../../conformance/audit.ts';
import { foundEntry } from '../../conformance/audit-search.ts';
import { launcher } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const eventsOf = (count: number): readonly AuditEntry[] =>
  Array.from({ length: count }, (_, i) => foundEntry(`e${i}`, { timeMs: i, path: `/${'x'.repeat(500)}` }));

/** A store that counts what it is asked for. */
async function countingStore(
  count: number,
): Promise<{ audit: AuditStore; asked: () => number } & AsyncDisposable> {
  const store = await openStore('sqlite::memory:');
  await store.audit.append(eventsOf(count));
  let asked = 0;
  const period: AuditStore['period'] = (question) => {
    asked += 1;
    return store.audit.period(question);
  };
  const audit = Object.assign(Object.create(store.audit) as AuditStore, { period });
  return { audit, asked: () => asked, [Symbol.asyncDispose]: () => store.close() };
}

test('what nobody reads is not asked of the store, and what is read slowly comes whole and in order', async () => {
  await using store = await countingStore(20_000);
  const target = new PassThrough({ highWaterMark: 16 * 1024 });
  const done = exportAudit(eventsOfPeriod(store.audit, {}), { format: 'ndjson' }, target);
  // As many turns as it could ask in, if it asked on.
  for (let turn = 0; turn < 500; turn += 1) await nextTurn();
  const askedFirst = store.asked();
  assert.ok(askedFirst <= 2, `${askedFirst} pages for a reader that reads nothing`);
  let text = '';
  let held = 0;
  target.setEncoding('utf8');
  for await (const piece of untilEnd(target, done)) {
    text += piece;
    held = Math.max(held, target.readableLength + target.writableLength);
  }
  const ids = text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: string }).id);
  assert.deepEqual(
    ids,
    eventsOf(20_000).map(({ id }) => id),
  );
  // A chunk and what a stream takes beside it, of fourteen megabytes.
  assert.ok(held < 512 * 1024, `${held}`);
});

/** What comes until the export is done. */
async function* untilEnd(target: PassThrough, done: Promise<void>): AsyncGenerator<string> {
  void done.then(() => target.end());
  for await (const piece of target) yield String(piece);
  await done;
}

test('whoever stops reading ends it, and the store is asked no more', async () => {
  await using store = await countingStore(20_000);
  const target = new PassThrough();
  const done = exportAudit(eventsOfPeriod(store.audit, {}), { format: 'csv' }, target);
  await once(target, 'readable');
  target.destroy();
  await done;
  const asked = store.asked();
  await nextTurn();
  assert.ok(asked < 5 && store.asked() === asked, `${asked}`);
});

test('a fault of the store is told, behind what was written', async () => {
  await using store = await countingStore(3000);
  const { period } = store.audit;
  let pages = 0;
  const audit = Object.assign(Object.create(store.audit) as AuditStore, {
    period: async (question: Parameters<typeof period>[0]) => {
      pages += 1;
      if (pages > 1) throw new Error('the disk is gone');
      return await period(question);
    },
  });
  const target = new PassThrough();
  target.resume();
  await assert.rejects(
    exportAudit(eventsOfPeriod(audit, {}), { format: 'ndjson' }, target),
    /the disk is gone/,
  );
});

test('the command writes the events of a time, and ends clean when its reader does', async () => {
  await using directory = await temporaryDirectory();
  const configFile = join(directory.path, 'gateway.yaml');
  await writeFile(configFile, 'stateDirectory: state\n');
  {
    await using store = await openStore(`sqlite:${join(directory.path, 'state', 'state.db')}`);
    const at = (time: string, id: string): AuditEntry => foundEntry(id, { timeMs: Date.parse(time) });
    await store.audit.append([
      at('2030-01-02T00:00:00Z', 'b'),
      at('2030-01-01T00:00:00Z', 'a'),
      at('2030-01-03T00:00:00Z', 'c'),
      ...Array.from({ length: 5000 }, (_, i) => auditEntry(`old${i}`)),
    ]);
  }
  const run = (...args: readonly string[]) =>
    spawn(launcher, ['audit', 'export', '--config', configFile, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  const textOf = async (...args: readonly string[]): Promise<string> => {
    const child = run(...args);
    const pieces: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (piece: string) => pieces.push(piece));
    const [code] = (await once(child, 'close')) as [number];
    assert.equal(code, 0);
    return pieces.join('');
  };
  const asked = ['--since', '2030-01-01', '--until', '2030-01-03T00:00:00Z'] as const;
  const lines = (await textOf(...asked)).trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { id: string }).id),
    ['a', 'b'],
  );
  const csv = await textOf(...asked, '--format', 'csv');
  assert.match(
    csv,
    /^time,id,[^\r]*\r\n"2030-01-01T00:00:00\.000Z","a",[^\r]*\r\n"2030-01-02T00:00:00\.000Z","b",[^\r]*\r\n$/,
  );
  const child = run();
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (said += piece));
  await once(child.stdout, 'data');
  child.stdout.destroy();
  assert.deepEqual([await once(child, 'exit'), said], [[0, null], '']);
});
