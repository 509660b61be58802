import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts';
import { newSession } from '../../conformance/new-session.ts';
import { accessRequest } from '../../conformance/store.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { auditEntry } from '../../conformance/audit.ts';

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'upstreamproxy-sqlite-'));
});
after(() => rm(root, { recursive: true }));

const bounds = { enrolmentsPerTokenMax: 10 };
const unavailable = (message: RegExp) => ({ name: 'ProxyError', code: 'store_unavailable', message });
const modeOf = async (path: string): Promise<string> => ((await lstat(path)).mode & 0o777).toString(8);

test('the file and what SQLite puts beside it are for the owner alone, in a folder of the owner', async () => {
  const folder = join(root, 'modes', 'nested');
  const path = join(folder, 'state.db');
  const mask = process.umask(0);
  try {
    await using store = await openSqliteStore(path);
    await store.sessions.enrol(newSession('a'), bounds);
    await store.audit.append([auditEntry('a')]);
    assert.equal(await modeOf(folder), '700');
    const files = await readdir(folder);
    assert.deepEqual(files.toSorted(), ['state.db', 'state.db-shm', 'state.db-wal']);
    for (const file of files) assert.equal(await modeOf(join(folder, file)), '600', file);
  } finally {
    process.umask(mask);
  }
});

/** What a program that knows no refs took for grants in force, and for what was over, at that time. */
const earlierQueries = (nowMs: number): readonly string[] => [
  `SELECT id FROM access_request WHERE state = 'granted' AND ends_ms > ${nowMs}`,
  `SELECT id FROM access_request WHERE state = 'granted' AND ends_ms <= ${nowMs}`,
];

test('a program that knows no refs neither opens anything for a grant for refs nor ends it', async () => {
  const path = join(root, 'refs', 'state.db');
  await using store = await openSqliteStore(path);
  await store.sessions.enrol(newSession('a'), bounds);
  await store.access.file(accessRequest('r'), defaultLimits);
  const terms = { scope: 'exact', subject: 'session', endsMs: 5000 } as const;
  const refs = ['refs/heads/agent/**'];
  using database = new DatabaseSync(path);
  const earlier = (nowMs: number): readonly unknown[][] =>
    earlierQueries(nowMs).map((sql) => database.prepare(sql).all());
  await store.access.grant('r', { ...terms, refs }, { nowMs: 2000 });
  assert.deepEqual(
    [earlier(2000), earlier(9000)],
    [
      [[], []],
      [[], []],
    ],
  );
  // A grant of its own does not widen it here.
  database.exec(`UPDATE access_request SET state = 'granted', scope = 'path', ends_ms = 4000 WHERE id = 'r'`);
  assert.deepEqual((await store.access.inForce(2000))[0]?.terms?.refs, refs);
  await store.access.grant('r', terms, { nowMs: 2000 });
  assert.deepEqual(
    earlier(2000).map(({ length }) => length),
    [1, 0],
  );
  await store.access.grant('r', { ...terms, refs }, { nowMs: 2000 });
  assert.deepEqual(
    earlier(2000).map(({ length }) => length),
    [0, 0],
  );
  assert.deepEqual(
    (await store.access.expire(5000)).map(({ id }) => id),
    ['r'],
  );
});

test('everything is there again after closing and opening', async () => {
  const path = join(root, 'again', 'state.db');
  {
    await using store = await openSqliteStore(path);
    await store.sessions.enrol(newSession('a'), bounds);
    await store.sessions.commit('a', 2000);
    await store.audit.append([auditEntry('event')]);
  }
  await using store = await openSqliteStore(path);
  assert.equal(await store.tokens.consumedBy('token-1'), 'a');
  assert.equal((await store.sessions.find('a'))?.state, 'committed');
  assert.equal((await store.audit.query({ limit: 10 })).length, 1);
});

test('a file, folder or link that others control is refused and left as it is', async () => {
  const folder = join(root, 'loose');
  await mkdir(folder, { mode: 0o700 });
  const readable = join(folder, 'readable.db');
  await writeFile(readable, '', { mode: 0o644 });
  await assert.rejects(openSqliteStore(readable), unavailable(/mode 600/));
  const link = join(folder, 'link.db');
  const target = join(folder, 'target.db');
  await writeFile(target, '', { mode: 0o600 });
  await symlink(target, link);
  await assert.rejects(openSqliteStore(link), unavailable(/regular file/));
  assert.equal((await lstat(target)).size, 0);
  await mkdir(join(folder, 'directory.db'));
  await assert.rejects(openSqliteStore(join(folder, 'directory.db')), unavailable(/regular file/));
  const shared = join(root, 'shared');
  await mkdir(shared);
  await chmod(shared, 0o777);
  await assert.rejects(openSqliteStore(join(shared, 'state.db')), unavailable(/written by others/));
  assert.deepEqual(await readdir(shared), []);
});

test('a file that is no database is refused and left as it is', async () => {
  const path = join(root, 'text', 'state.db');
  await mkdir(join(root, 'text'), { mode: 0o700 });
  await writeFile(path, 'this is a text file, longer than a header of one hundred bytes.\n'.repeat(4), {
    mode: 0o600,
  });
  await assert.rejects(openSqliteStore(path), unavailable(/not a database/));
  assert.equal((await lstat(path)).size, 256);
});

test('a damaged row is said, not guessed', async () => {
  const path = join(root, 'damaged', 'state.db');
  await tamper(path, (database) => database.exec(`UPDATE session SET claims = '{"sub":'`));
  await using store = await openSqliteStore(path);
  await assert.rejects(store.sessions.find('a'), unavailable(/damaged: column "claims"/));
});

test('a store that is closed says so instead of crashing the process', async () => {
  const store = await openSqliteStore(join(root, 'closed', 'state.db'));
  await store.close();
  await store.close();
  await assert.rejects(store.sessions.find('a'), unavailable(/cannot be read/));
  await assert.rejects(store.audit.append([auditEntry('a')]), unavailable(/cannot be written/));
});

test('a batch that fails in its middle leaves nothing of itself', async () => {
  await using store = await openSqliteStore(join(root, 'batch', 'state.db'));
  const broken = { ...auditEntry('b'), timeMs: Number.NaN };
  await assert.rejects(store.audit.append([auditEntry('a'), broken]), unavailable(/cannot be written/));
  assert.deepEqual(await store.audit.query({ limit: 10 }), []);
  await store.audit.append([auditEntry('a')]);
  assert.equal((await store.audit.query({ limit: 10 })).length, 1);
});

test('processes that open a new file at the same moment all get the whole schema', async () => {
  const path = join(root, 'together', 'state.db');
  await mkdir(join(root, 'together'), { mode: 0o700 });
  const program = `
    import { openSqliteStore } from ${JSON.stringify(new URL('../../../src/store/sqlite/sqlite-store.ts', import.meta.url).href)};
    process.stdout.write('ready');
    process.stdin.once('data', async () => {
      process.stdin.pause();
      await using store = await openSqliteStore(${JSON.stringify(path)});
      await store.sessions.list({ limit: 1 });
    });`;
  const processes = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    }),
  );
  const ended = processes.map((child) => once(child, 'exit'));
  await Promise.all(processes.map((child) => once(child.stdout, 'data')));
  for (const child of processes) child.stdin.end('go');
  assert.deepEqual(
    (await Promise.all(ended)).map(([status]) => status),
    [0, 0, 0, 0],
  );
});

/** Makes a store with one session and then changes its file behind its back. */
async function tamper(path: string, change: (database: DatabaseSync) => void): Promise<void> {
  const store = await openSqliteStore(path);
  await store.sessions.enrol(newSession('a'), bounds);
  await store.close();
  const database = new DatabaseSync(path);
  change(database);
  database.close();
}
