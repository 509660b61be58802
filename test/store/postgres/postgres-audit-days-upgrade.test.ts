// How the audit of a PostgreSQL store that is in use gets its parts: a gateway of the version before goes on beside one of now, and the table is
// given its parts once it is gone.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'node:test';
import { Client } from 'pg';
import { verifyChain } from '../../../src/store/chain/verify-chain.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { openPostgresStore } from '../../../src/store/postgres/postgres-store.ts';
import { migrations, schemaVersion } from '../../../src/store/postgres/postgres-schema.ts';
import { placesOfDay } from '../../../src/store/postgres/postgres-audit-days-schema.ts';
import type { Store } from '../../../src/store/store.ts';
import { chainSigner, storeChained } from '../../conformance/chain.ts';
import { auditEntry } from '../../conformance/audit.ts';
import { earlierProgram, noHistory } from '../../support/earlier-program.ts';
import { postgresBinaries, startPostgres } from '../../support/postgres-server.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
/** The last one whose audit is one table. */
const commit = 'fcc27354';
const gateway = {
  peerAddress: undefined,
  state: 'serving',
  changeSeen: 0,
  identityKeys: undefined,
} as const;
const leaseMs = 600_000;

test(
  'gateways of the version before and of now share a store; it gets its parts once the former are gone',
  { skip },
  (t) =>
    withTemporaryDirectory(async (root) => {
      const program = earlierProgram(root, commit);
      if (program === undefined) return t.skip(noHistory(commit));
      await using server = await startPostgres();
      const url = server.url('postgres');
      const version = async (): Promise<unknown> =>
        (await server.run('SELECT version, serves_from FROM schema_version')).rows[0];
      const path = pathToFileURL(join(program, '../../src/store/open-store.ts')).href;
      // The same function as it was then; the contract that is used here has not changed.
      const earlier = (await import(path)) as { readonly openStore: (url: string) => Promise<Store> };
      const signer = chainSigner();
      const old = await earlier.openStore(url);
      await old.gateways.note({ ...gateway, incarnation: 'old' }, leaseMs);
      await old.audit.chain.begin(signer);
      await storeChained(old, 0, 300);
      assert.deepEqual(await version(), { version: 12, serves_from: 1 });

      await using store = await openStore(url);
      // All that the old one does not mind; the last step waits for it.
      assert.deepEqual(await version(), { version: 14, serves_from: 1 });
      await store.gateways.note({ ...gateway, incarnation: 'new' }, leaseMs);
      await store.audit.chain.begin(signer);
      await storeChained(store, 300, 40);
      await storeChained(old, 400, 40);
      const twice = auditEntry('twice', { timeMs: 1_000_500 });
      await old.audit.append([twice]);
      await store.audit.append([twice]);
      await Promise.all([storeChained(store, 500, 60), storeChained(old, 600, 60)]);
      const all = 300 + 80 + 1 + 120;
      for (const one of [old, store]) {
        assert.equal((await one.audit.query({ limit: 1000 })).length, all);
        assert.deepEqual((await verifyChain(one.audit.chain, signer.publicKeys, {})).findings, []);
      }
      assert.equal(await store.audit.makeRoom?.(), undefined);
      assert.equal(await store.audit.prune({ beforeMs: 1_000_010, batch: 500 }), 10);
      // Another start of now, while the old one serves: nothing changes.
      await (await openStore(url)).close();
      assert.deepEqual(await version(), { version: 14, serves_from: 1 });

      await old.gateways.note({ ...gateway, incarnation: 'old', state: 'left' }, leaseMs);
      await old.audit.chain.end();
      const written = (await server.run(`SELECT pg_relation_filenode('audit') AS file`)).rows[0]?.file;
      await using later = await openStore(url);
      assert.deepEqual(await version(), { version: schemaVersion, serves_from: 13 });
      // Nothing was written anew, no index either.
      assert.equal(
        (await server.run(`SELECT pg_relation_filenode('audit_before_days') AS file`)).rows[0]?.file,
        written,
      );
      await later.audit.chain.begin(signer);
      // The one that has it open goes on in the parts.
      await Promise.all([storeChained(store, 700, 30), storeChained(later, 800, 30)]);
      await store.audit.append([twice]);
      assert.equal((await store.audit.query({ limit: 1000 })).length, all - 10 + 60);
      assert.equal((await later.audit.held()).events, all - 10 + 60);
      const { rows } = await server.run(
        `SELECT count(*) AS count FROM audit WHERE sequence > ${placesOfDay}`,
      );
      assert.equal(Number(rows[0]?.count), 60);
      assert.deepEqual((await verifyChain(later.audit.chain, signer.publicKeys, {})).findings, []);
      await assert.rejects(earlier.openStore(url), /programs before version 13 are not served any more/);
      await old.close();
    }),
);

test(
  'a role that owns nothing leaves the last step to who may take it, and one that is cut leaves nothing',
  { skip },
  async () => {
    await using server = await startPostgres();
    const url = server.url('postgres');
    // As a store that an earlier start has left there.
    await (await openPostgresStore(url, { migrations: migrations.slice(0, 14) })).close();
    await server.run(
      `CREATE ROLE keeper LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO keeper;
     GRANT EXECUTE ON FUNCTION audit_places() TO keeper`,
    );
    await using kept = await openStore(server.url('postgres', 'keeper'));
    await kept.audit.append([auditEntry('a')]);
    const state = async (): Promise<unknown> =>
      (
        await server.run(
          `SELECT version, (SELECT relkind FROM pg_class WHERE oid = 'audit'::regclass) AS kind FROM schema_version`,
        )
      ).rows[0];
    assert.deepEqual(await state(), { version: 14, kind: 'r' });
    await server.run('CREATE TABLE audit_2099_01_01 (); CREATE SEQUENCE audit_place');
    await assert.rejects(openStore(url), { code: 'store_unavailable' });
    assert.deepEqual(await state(), { version: 14, kind: 'r' });
    await server.run('DROP SEQUENCE audit_place');
    await using store = await openStore(url);
    assert.deepEqual(await state(), { version: schemaVersion, kind: 'p' });
    // Its rights are those that it had, and it goes on.
    await kept.audit.append([auditEntry('b')]);
    assert.equal(await kept.audit.makeRoom?.(), 7);
    assert.equal((await store.audit.held()).events, 2);
  },
);

test(
  'a superuser who migrates leaves a store in which the owner of the audit goes on, before its days and with them',
  { skip },
  async () => {
    await using server = await startPostgres();
    await server.run('CREATE ROLE own LOGIN');
    await server.run('CREATE DATABASE a OWNER own');
    await server.run('GRANT CREATE ON SCHEMA public TO own', 'a');
    const run = async (sql: string): Promise<readonly Record<string, unknown>[]> =>
      (await server.run(sql, 'a')).rows;
    await (await openPostgresStore(server.url('a', 'own'), { migrations: migrations.slice(0, 12) })).close();
    await run(`INSERT INTO gateway (incarnation, state, change_seen, lease_until)
      VALUES ('old', 'serving', 0, clock_timestamp() + interval '1 hour')`);
    await (await openPostgresStore(server.url('a'))).close();
    {
      await using store = await openStore(server.url('a', 'own'));
      assert.deepEqual(await run('SELECT version FROM schema_version'), [{ version: 14 }]);
      await store.audit.append([auditEntry('a')]);
    }
    await run('DELETE FROM gateway');
    await (await openPostgresStore(server.url('a'))).close();
    assert.deepEqual(await run('SELECT version FROM schema_version'), [{ version: schemaVersion }]);
    await using store = await openStore(server.url('a', 'own'));
    await store.audit.append([auditEntry('b')]);
    assert.equal(await store.audit.makeRoom?.(), 7);
    const others = await run(
      `SELECT relname AS name FROM pg_class WHERE relname ~ '^audit' AND relowner <> 'own'::regrole
       UNION ALL SELECT proname FROM pg_proc WHERE proname ~ '^audit_' AND proowner <> 'own'::regrole`,
    );
    assert.deepEqual(others, []);
  },
);

test(
  'a start beside who reads the audit for long goes on without its days, and a later one makes them',
  { skip },
  async () => {
    await using server = await startPostgres();
    const url = server.url('postgres');
    await (await openPostgresStore(url, { migrations: migrations.slice(0, 14) })).close();
    const version = async (): Promise<unknown> =>
      (await server.run('SELECT version FROM schema_version')).rows[0]?.version;
    const reader = new Client({ connectionString: url });
    await reader.connect();
    await reader.query('BEGIN; SELECT count(*) FROM audit');
    {
      await using store = await openPostgresStore(url, { tableRetryMs: 1 });
      assert.equal(await version(), 14);
      await store.audit.append([auditEntry('a')]);
      const [problem] = (await store.audit.roomProblems?.(90)) ?? [];
      assert.match(problem ?? '', /one table still: others read it/);
    }
    await reader.query('COMMIT');
    await reader.end();
    await using store = await openPostgresStore(url);
    assert.equal(await version(), schemaVersion);
    assert.equal((await store.audit.held()).events, 1);
  },
);
