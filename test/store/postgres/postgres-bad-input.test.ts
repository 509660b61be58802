// Databases that a program cannot use, for real: one clear line each, and nothing half done.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { moveStore } from '../../../src/store/move-store.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { PostgresDatabase } from '../../../src/store/postgres/postgres-database.ts';
import { migrate } from '../../../src/store/postgres/postgres-migrate.ts';
import { newSession } from '../../conformance/new-session.ts';
import { postgresBinaries, startPostgres } from '../../support/postgres-server.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
const bounds = { enrolmentsPerTokenMax: 10 };

function oneLine(message: RegExp) {
  return (error: Error & { readonly code?: string }): boolean => {
    assert.equal(error.code, 'store_unavailable');
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  };
}

test('a server that is too old is told by its version, and asked nothing more', async () => {
  const asked: string[] = [];
  const server: Pick<PostgresDatabase, 'label' | 'all'> = {
    label: 'postgres://u@db.test:5432/d',
    all: async (sql) => {
      asked.push(sql);
      return [{ version: 140_012, encoding: 'UTF8', is_read_only: false, schema: 'public' }];
    },
  };
  await assert.rejects(
    migrate(server as PostgresDatabase),
    oneLine(
      /^The store postgres:\/\/u@db\.test:5432\/d cannot be opened: it is PostgreSQL 14; this program needs 15 or newer\.$/,
    ),
  );
  assert.equal(asked.length, 1);
});

test('a standby serves who reads, refuses who writes, and takes no copy', { skip }, async () => {
  await using server = await startPostgres();
  await server.run('CREATE DATABASE state');
  const url = server.url('state');
  {
    await using store = await openStore(url);
    await store.sessions.enrol(newSession('a'), bounds);
  }
  await server.run('CREATE DATABASE empty');
  await (await openStore(server.url('empty'))).close();
  await server.stop();
  const mark = join(dirname(server.socketDirectory), 'data', 'standby.signal');
  writeFileSync(mark, '');
  if (process.getuid?.() === 0) chownSync(mark, 65_534, 65_534);
  await server.start();
  await assert.rejects(
    openStore(url),
    oneLine(/cannot be opened: it is read-only; a gateway needs the primary/),
  );
  await assert.rejects(openStore(url, { isOperator: true }), oneLine(/it is read-only/));
  await using reader = await openStore(url, { isReader: true });
  assert.equal((await reader.sessions.list({ limit: 5 })).length, 1);
  await assert.rejects(
    reader.sessions.end('a', { state: 'revoked', reason: 'x' }, 1),
    oneLine(/it is read-only; a gateway needs the primary/),
  );
  await withTemporaryDirectory(async (root) => {
    const from = join(root, 'state', 'state.db');
    await using file = await openStore(`sqlite:${from}`);
    await assert.rejects(moveStore({ from, to: server.url('empty'), nowMs: 1 }), oneLine(/it is read-only/));
    assert.equal(file.movedTo?.(), undefined);
  });
});

/** A mount of its own needs a namespace of its own, which not every place gives. */
const noMounts =
  spawnSync('unshare', ['--mount', 'true']).status === 0 ? false : 'no mount namespace can be made here';

test(
  'a database whose disk is full is told in one line, keeps what it has, and is used again when there is room',
  { skip: skip === false ? noMounts : skip },
  () => {
    const program = fileURLToPath(new URL('../../support/full-database.ts', import.meta.url));
    assert.ok(existsSync(program));
    const { stdout, stderr } = spawnSync('unshare', ['--mount', process.execPath, program], {
      encoding: 'utf8',
      timeout: 120_000,
    });
    const said: unknown = JSON.parse(stdout === '' ? JSON.stringify(stderr) : stdout);
    const full = /^store_unavailable The store \S+ cannot be written: its disk is full\.$/;
    const { migration, tables, enrolment, audit, moved, isMarked, later } = said as Readonly<
      Record<string, unknown>
    >;
    assert.match(String(migration), full, stderr);
    assert.equal(tables, 0, 'a migration was half done');
    assert.match(String(enrolment), full);
    assert.match(String(audit), full);
    assert.match(String(moved), full);
    // The file is marked by then: what is moved can be run again.
    assert.deepEqual([isMarked, later], [true, 'enrolled, appended, moved 1']);
  },
);
