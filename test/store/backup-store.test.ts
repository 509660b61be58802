// A store as a file, and back into each engine; what is known of later is asserted again, and nothing is written of a file that is not whole.

import assert from 'node:assert/strict';
import { chmod, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { backUpStore, restoreStore } from '../../src/store/backup-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { BackupFile } from '../../src/store/portable/backup-file.ts';
import type { LaterFacts } from '../../src/store/portable/assert-again.ts';
import { askedStore, StoreOutage } from '../../src/store/store-outage.ts';
import { auditEntry } from '../conformance/audit.ts';
import { eventually } from '../agent/support/enrolled.ts';
import { newSession } from '../conformance/new-session.ts';
import { fillStore } from '../support/filled-store.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
const bounds = { enrolmentsPerTokenMax: 10 };
const refused = (message: RegExp) => ({ name: 'ProxyError', code: 'config_invalid', message });
const nothing: LaterFacts = {
  endedSessions: new Map(),
  committed: new Map(),
  usedTokens: new Map(),
  closedAccess: new Map(),
  revokedOperators: new Map(),
  endsAll: false,
  nowMs: 7000,
};
let server: PostgresServer | undefined;
let stores = 0;

async function emptyStore(engine: string, root: string): Promise<string> {
  stores += 1;
  if (engine === 'sqlite') return `sqlite:${join(root, `${stores}`, 'state.db')}`;
  assert.ok(server !== undefined);
  await server.run(`CREATE DATABASE b${stores}`);
  return server.url(`b${stores}`);
}

async function filledBackup(root: string) {
  const store = await emptyStore('sqlite', root);
  const filled = await fillStore(await openStore(store), 20);
  const file = join(root, 'backup');
  await backUpStore({ store, file, nowMs: 4000 });
  return { store, file, filled };
}

for (const [from, to] of [
  ['sqlite', 'sqlite'],
  ['sqlite', 'postgres'],
  ['postgres', 'sqlite'],
  ['postgres', 'postgres'],
] as const)
  describe(`a backup of ${from} in ${to}`, { skip: from === to && to === 'sqlite' ? false : skip }, () => {
    before(async () => {
      if (from !== to || to !== 'sqlite') server ??= await startPostgres();
    });

    test('all is there as it was while others went on writing, and numbers go on', () =>
      withTemporaryDirectory(async (root) => {
        const store = await emptyStore(from, root);
        const filled = await fillStore(await openStore(store), 450);
        const file = join(root, 'backup');
        await using running = await openStore(store);
        const sums = await backUpStore({ store, file, nowMs: 4000 });
        assert.equal(sums.get('audit')?.rows, 450);
        assert.equal((await stat(file)).mode & 0o777, 0o600);
        await running.audit.append([auditEntry('too late')]);
        const target = await emptyStore(to, root);
        const restored = await restoreStore({ store: target, file, nowMs: 8000 }, nothing);
        assert.deepEqual(
          { madeMs: restored.madeMs, ...restored.asserted },
          { madeMs: 4000, sessions: 0, tokens: 0, grants: 0, operators: 0, living: 2 },
        );
        await using again = await openStore(target);
        assert.deepEqual(await filled.read(again), filled.expected);
        const { sequence } = await again.sessions.endingsSince(undefined);
        await again.sessions.end('living', { state: 'ended', reason: 'x' }, 9000);
        const { endings } = await again.sessions.endingsSince(sequence);
        assert.deepEqual(
          endings.map(({ sessionId }) => sessionId),
          ['living'],
        );
        await again.audit.append([auditEntry('later')]);
        assert.equal((await again.audit.held()).events, 451);
        await assert.rejects(
          restoreStore({ store: target, file, nowMs: 8000 }, nothing),
          refused(/is not empty: session has rows/),
        );
      }));

    test('what is known of later is asserted again', () =>
      withTemporaryDirectory(async (root) => {
        const store = await emptyStore(from, root);
        await fillStore(await openStore(store), 3);
        const file = join(root, 'backup');
        await backUpStore({ store, file, nowMs: 4000 });
        const target = await emptyStore(to, root);
        const { asserted } = await restoreStore(
          { store: target, file, nowMs: 8000 },
          {
            ...nothing,
            endedSessions: new Map([['living', { state: 'revoked', reason: 'stolen', atMs: 5000 }]]),
            committed: new Map([['Fresh', 4500]]),
            usedTokens: new Map([
              ['unknown', { sessionId: 'z', expiresMs: 90_000 }],
              ['used', { sessionId: 'living', expiresMs: 50_000 }],
            ]),
            closedAccess: new Map([['r', 'revoked']]),
            revokedOperators: new Map([['t', 5000]]),
          },
        );
        assert.deepEqual(asserted, { sessions: 1, tokens: 2, grants: 1, operators: 1, living: 1 });
        await using again = await openStore(target);
        const session = await again.sessions.find('living');
        assert.deepEqual([session?.state, session?.reason, session?.overMs], ['revoked', 'stolen', 5000]);
        assert.equal((await again.sessions.find('Fresh'))?.state, 'committed');
        for (const tokenKey of ['fresh', 'unknown', 'used'])
          assert.equal(
            (await again.sessions.enrol(newSession(`new ${tokenKey}`, { tokenKey }), bounds)).kind,
            'token_consumed',
            tokenKey,
          );
        // Whoever follows is told.
        const { endings } = await again.sessions.endingsSince(0);
        assert.deepEqual(
          endings.map(({ sessionId }) => sessionId),
          ['ended', 'living'],
        );
        assert.equal((await again.access.find('r'))?.state, 'revoked');
        assert.deepEqual(await again.operators.list(6000), []);
      }));

    test('a store whose restore was cut off is opened by nobody, until it was run again', () =>
      withTemporaryDirectory(async (root) => {
        const store = await emptyStore(from, root);
        const filled = await fillStore(await openStore(store), 3);
        const file = join(root, 'backup');
        await backUpStore({ store, file, nowMs: 4000 });
        const target = { store: await emptyStore(to, root), file, nowMs: 8000 };
        const onProgress = () => {
          throw new Error('cut');
        };
        await assert.rejects(restoreStore({ ...target, onProgress }, nothing), /cut/);
        const unfilled = {
          name: 'ProxyError',
          code: 'store_unavailable',
          message: /^The store is not filled/,
        };
        for (const access of [{}, { isReader: true }, { isOperator: true }])
          await assert.rejects(openStore(target.store, access), unfilled);
        await assert.rejects(backUpStore({ ...target, file: join(root, 'other') }), unfilled);
        await restoreStore(target, nothing);
        await using again = await openStore(target.store);
        assert.deepEqual(await filled.read(again), filled.expected);
        // One that is in use is not marked by who would fill it.
        await assert.rejects(restoreStore(target, nothing), refused(/is not empty/));
        await (await openStore(target.store)).close();
      }));

    test('who opened the store while it was empty stops using it when it is to be filled, and goes on with what it is filled with', () =>
      withTemporaryDirectory(async (root) => {
        const store = await emptyStore(from, root);
        await fillStore(await openStore(store), 3);
        const file = join(root, 'backup');
        await backUpStore({ store, file, nowMs: 4000 });
        const target = { store: await emptyStore(to, root), file, nowMs: 8000 };
        await using early = await openStore(target.store);
        const { probe } = early;
        assert.ok(probe !== undefined);
        const said: string[] = [];
        await using outage = new StoreOutage({ probe, outageMs: 60_000, onBegin: (why) => said.push(why) });
        const { changes, sessions } = askedStore(early, outage);
        assert.equal(await changes.newest(), 0);
        const onProgress = () => {
          throw new Error('cut');
        };
        await assert.rejects(restoreStore({ ...target, onProgress }, nothing), /cut/);
        // As each gateway looks twice a second.
        await assert.rejects(changes.place(), { code: 'store_unavailable' });
        const session = newSession('n', { tokenKey: 'used' });
        await assert.rejects(sessions.enrol(session, bounds), { code: 'store_unavailable' });
        assert.match(said.join(), /^The store is not filled/);
        await restoreStore(target, nothing);
        await eventually(() => outage.sinceMs === undefined, 'the store is there again');
        assert.equal((await sessions.enrol(session, bounds)).kind, 'token_consumed');
      }));

    test('or nothing of it goes on', () =>
      withTemporaryDirectory(async (root) => {
        const store = await emptyStore(from, root);
        await fillStore(await openStore(store), 3);
        const file = join(root, 'backup');
        await backUpStore({ store, file, nowMs: 4000 });
        const target = await emptyStore(to, root);
        await restoreStore({ store: target, file, nowMs: 8000 }, { ...nothing, endsAll: true });
        await using again = await openStore(target);
        assert.deepEqual(await again.sessions.list({ living: true, limit: 9 }), []);
        assert.deepEqual(await again.access.inForce(5000), []);
        assert.deepEqual(await again.operators.list(6000), []);
        const outcome = await again.sessions.enrol(newSession('n', { tokenKey: 'fresh' }), bounds);
        assert.equal(outcome.kind, 'token_revoked');
      }));
  });

after(() => server?.[Symbol.asyncDispose]());

test('a file that is cut, damaged or strange is refused, and the store is not made', () =>
  withTemporaryDirectory(async (root) => {
    const { file } = await filledBackup(root);
    const text = await readFile(file, 'utf8');
    const lines = text.trimEnd().split('\n');
    const row = lines.findIndex((line) => line.includes('living'));
    const with1 = (at: number, line: string): string =>
      [...lines.slice(0, at), line, ...lines.slice(at + 1)].join('\n').concat('\n');
    const broken: readonly (readonly [string, string, RegExp])[] = [
      ['empty', '', /its end is missing/],
      ['no backup', '{"a":1}\n', /it is no backup of a store/],
      ['of a newer program', text.replace('"version":1', '"version":2'), /a newer program wrote it/],
      ['cut within a line', text.slice(0, text.length / 2), /its end is missing|no JSON/],
      ['cut behind a line', lines.slice(0, -1).join('\n').concat('\n'), /its end is missing/],
      ['without its last line break', text.trimEnd(), /its end is missing/],
      [
        'one row less',
        [...lines.slice(0, row), ...lines.slice(row + 1)].join('\n').concat('\n'),
        /not what was written/,
      ],
      [
        'a row changed',
        with1(row, lines[row]?.replace('committed', 'enrolled ') ?? ''),
        /not what was written/,
      ],
      ['something behind it', `${text}{}\n`, /something follows its end/],
      ['a row that is too short', with1(row, '["x"]'), /a row is not sound/],
      [
        'a number that is none of ours',
        with1(row, lines[row]?.replace(/,\d+,/, ',1e300,') ?? ''),
        /a row is not sound/,
      ],
      [
        'another table',
        with1(1, '{"table":"pg_authid","columns":["a"]}'),
        /a table that this program does not know/,
      ],
      [
        'a column that ends a statement',
        with1(1, '{"table":"session","columns":["id) --"]}'),
        /columns of session are not sound/,
      ],
      ['no JSON', with1(1, '{'), /a line is no JSON/],
    ];
    for (const [name, content, message] of broken) {
      const path = join(root, name);
      await writeFile(path, content, { mode: 0o600 });
      const store = join(root, `for ${name}`, 'state.db');
      await assert.rejects(
        restoreStore({ store: `sqlite:${store}`, file: path, nowMs: 1 }, nothing),
        refused(message),
        name,
      );
      await assert.rejects(stat(store), { code: 'ENOENT' });
    }
  }));

describe('acts of operators that no gateway took up', { skip }, () => {
  before(async () => {
    server ??= await startPostgres();
  });

  test('come back into PostgreSQL, go on behind their numbers, and are refused by a file', () =>
    withTemporaryDirectory(async (root) => {
      assert.ok(server !== undefined);
      const store = await emptyStore('postgres', root);
      await (await openStore(store)).close();
      const act = (id: string): string =>
        `INSERT INTO operator_act (id, at_ms, event) VALUES ('${id}', 1, '{"action":"revoked","message":"${id}"}')`;
      await server.run(`${act('first')}; ${act('second')}`, `b${stores}`);
      const file = join(root, 'backup');
      await backUpStore({ store, file, nowMs: 1 });
      const path = join(root, 'file', 'state.db');
      await assert.rejects(
        restoreStore({ store: `sqlite:${path}`, file, nowMs: 2 }, nothing),
        refused(/acts of operators that no gateway took into its audit/),
      );
      const target = await emptyStore('postgres', root);
      await restoreStore({ store: target, file, nowMs: 2 }, nothing);
      await server.run(act('third'), `b${stores}`);
      await using again = await openStore(target);
      const taken = await again.acts.take('g', 9);
      assert.deepEqual(
        taken.map(({ id }) => id),
        ['first', 'second', 'third'],
      );
    }));
});

test('another whole backup in its place is told from the one that was read first', () =>
  withTemporaryDirectory(async (root) => {
    const { file } = await filledBackup(root);
    const other = join(root, 'other');
    const store = await emptyStore('sqlite', root);
    await fillStore(await openStore(store), 2);
    await backUpStore({ store, file: other, nowMs: 9000 });
    await using backup = await BackupFile.open(file);
    await writeFile(file, await readFile(other));
    await assert.rejects(
      Array.fromAsync(backup.source().batches()),
      refused(/it was changed while it was read/),
    );
  }));

test('a store of an older program is not changed by a backup', () =>
  withTemporaryDirectory(async (root) => {
    const { store } = await filledBackup(root);
    const database = new DatabaseSync(store.slice('sqlite:'.length));
    database.exec('UPDATE schema_version SET version = version - 1');
    const version = () => database.prepare('SELECT version FROM schema_version').get()?.['version'];
    const before = version();
    await assert.rejects(
      backUpStore({ store, file: join(root, 'y'), nowMs: 1 }),
      /older schema than this program/,
    );
    await assert.rejects(stat(join(root, 'y')), { code: 'ENOENT' });
    assert.equal(version(), before);
    database.close();
  }));

test('a backup is a new file, and one that others can write is not believed', () =>
  withTemporaryDirectory(async (root) => {
    const { store, file } = await filledBackup(root);
    const before = await readFile(file);
    await assert.rejects(
      backUpStore({ store, file, nowMs: 1 }),
      refused(/it exists already; name a new file/),
    );
    assert.deepEqual(await readFile(file), before);
    await assert.rejects(
      backUpStore({ store: `sqlite:${join(root, 'none')}`, file: join(root, 'x'), nowMs: 1 }),
      refused(/there is no store/),
    );
    await assert.rejects(stat(join(root, 'x')), { code: 'ENOENT' });
    const restore = (path: string) =>
      restoreStore({ store: `sqlite:${join(root, 'r', 'state.db')}`, file: path, nowMs: 1 }, nothing);
    await symlink(file, join(root, 'link'));
    await assert.rejects(restore(join(root, 'link')), refused(/symbolic link/));
    await assert.rejects(restore(root), refused(/must be a regular file/));
    await chmod(file, 0o620);
    await assert.rejects(restore(file), refused(/nobody else can write/));
    await chmod(file, 0o600);
    await restore(file);
  }));
