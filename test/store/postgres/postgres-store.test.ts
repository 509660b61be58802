// The PostgreSQL engine against a real server: the suites of every engine, and what only a server can do to it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { postgresAddress } from '../../../src/store/postgres/postgres-address.ts';
import { PostgresChanges } from '../../../src/store/postgres/postgres-changes.ts';
import { PostgresDatabase } from '../../../src/store/postgres/postgres-database.ts';
import { openPostgresStore } from '../../../src/store/postgres/postgres-store.ts';
import { migrations } from '../../../src/store/postgres/postgres-schema.ts';
import type { Store } from '../../../src/store/store.ts';
import { newSession } from '../../conformance/new-session.ts';
import { newPolicy, policyBounds } from '../../conformance/policies.ts';
import { raceConformance } from '../../conformance/races.ts';
import { auditEntry } from '../../conformance/audit.ts';
import { storeConformance } from '../../conformance/store.ts';
import { canary } from '../../support/canary.ts';
import { waitUntil } from '../../support/program.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
/** `npm run test:cluster` asks for many. */
const rounds = Number(process.env['UPSTREAMPROXY_RACE_ROUNDS'] ?? 8);
const bounds = { enrolmentsPerTokenMax: 10 };
const password = canary('database');
const authority = createTestAuthority();
let server: PostgresServer;
let databases = 0;

async function emptyDatabase(): Promise<string> {
  databases += 1;
  await server.run(`CREATE DATABASE d${databases}`);
  return `d${databases}`;
}

/** A new database costs a second of a busy machine, so all of a suite use one, which each store finds empty. */
async function emptyStore(): Promise<Store> {
  const store = await openStore(server.url('suite'));
  await server.run(
    `SET session_replication_role = replica;
     DELETE FROM session; DELETE FROM session_narrowing; DELETE FROM session_ending; DELETE FROM consumed_token; DELETE FROM seen_proof;
     DELETE FROM session_presence; DELETE FROM session_budget; DELETE FROM session_known_id; DELETE FROM package_seen; DELETE FROM package_seen_owner; DELETE FROM credential_lease; DELETE FROM kept_token; DELETE FROM kept_key; DELETE FROM access_request; DELETE FROM question; DELETE FROM approver_seen; DELETE FROM operator_token;
     DELETE FROM audit; DELETE FROM gateway; DELETE FROM identity; DELETE FROM audit_holder; DELETE FROM audit_open; DELETE FROM audit_holding; DELETE FROM audit_mark; DELETE FROM audit_spool; DELETE FROM audit_chain; DELETE FROM audit_head; DELETE FROM audit_cut; DELETE FROM audit_use; DELETE FROM audit_use_hour;
     DELETE FROM policy_outcome; DELETE FROM policy_version; DELETE FROM policy_content; DELETE FROM policy_kept;
     UPDATE audit_total SET events = 0, bytes = 0`,
    'suite',
  );
  return store;
}

/** The error is one line of that code, matches, and has no secret. */
async function refused(open: Promise<unknown>, message: RegExp, code = 'store_unavailable'): Promise<void> {
  await assert.rejects(open, (error: Error & { readonly code?: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    assert.ok(!error.message.includes(password));
    return true;
  });
}

describe('the PostgreSQL store', { skip }, () => {
  before(async () => {
    const { cert, key } = authority.issue('127.0.0.1');
    server = await startPostgres({
      identity: { certificatePem: cert, keyPem: key },
      access: ['hostssl all all 127.0.0.1/32 scram-sha-256'],
    });
    await server.run('CREATE DATABASE suite');
    await server.run(`CREATE ROLE gateway LOGIN PASSWORD '${password}'`);
    await server.run('GRANT pg_read_all_data TO gateway');
  });
  after(() => server[Symbol.asyncDispose]());

  storeConformance('postgres', emptyStore);
  raceConformance(
    'postgres',
    async () => {
      const one = await emptyStore();
      const other = await openStore(server.url('suite'));
      const end = async (): Promise<void> => void (await Promise.all([one.close(), other.close()]));
      return { one, other, [Symbol.asyncDispose]: end };
    },
    rounds,
  );

  test('what another process ended wakes who follows, also after the server crashed', async () => {
    await using store = await emptyStore();
    await using other = await openStore(server.url('suite'));
    const changed = async (act: () => Promise<unknown>): Promise<void> => {
      const told = Promise.withResolvers<void>();
      const unlisten = store.onChange(() => told.resolve());
      await act();
      await told.promise;
      unlisten();
    };
    await other.sessions.enrol(newSession('a'), bounds);
    await changed(() => other.sessions.end('a', { state: 'revoked', reason: 'x' }, 2000));
    await changed(() => other.policies.publish(newPolicy('a'), 0, policyBounds));
    await store.audit.append([], [auditEntry('open')]);
    await server.crash();
    await using third = await openStore(server.url('suite'));
    await third.sessions.enrol(newSession('b', { tokenKey: 'b' }), bounds);
    await changed(() => third.sessions.end('b', { state: 'revoked', reason: 'x' }, 2000));
    assert.equal((await store.sessions.endingsSince(0)).endings.length, 2);
    // Its lock went with the server, and it still runs.
    assert.deepEqual(await third.audit.leftOpen(10), []);
  });

  test('a history that went back, as with a standby that had not got all, is noticed: all endings are told again', async () => {
    await using store = await emptyStore();
    const end = async (id: string): Promise<void> => {
      await store.sessions.enrol(newSession(id, { tokenKey: id }), bounds);
      await store.sessions.end(id, { state: 'revoked', reason: 'x' }, 2000);
    };
    const ids = async (after: number): Promise<readonly string[]> =>
      (await store.sessions.endingsSince(after)).endings.map(({ sessionId }) => sessionId);
    await end('a');
    await end('b');
    const { sequence } = await store.sessions.endingsSince(undefined);
    assert.deepEqual(await ids(sequence), []);
    await server.run(
      `DELETE FROM session_ending WHERE session_id = 'b'; UPDATE change_counter SET value = value - 1`,
      'suite',
    );
    assert.deepEqual(await ids(sequence), ['a']);
    const back = await store.sessions.endingsSince(sequence);
    await end('c');
    assert.deepEqual(await ids(back.sequence), ['c']);
  });

  test('a role that owns nothing knows the history by which a promotion shows', async () => {
    await using store = await emptyStore();
    await server.run('CREATE ROLE looker LOGIN; GRANT SELECT ON change_counter TO looker', 'suite');
    const { history } = await store.changes.place();
    assert.match(history, /^[0-9A-F]{8} \d+ \d+$/);
    const database = new PostgresDatabase(postgresAddress(server.url('suite', 'looker')), {});
    try {
      const spoken = new PostgresChanges(database);
      assert.equal((await spoken.place()).history, history);
      await server.run('REVOKE EXECUTE ON FUNCTION pg_walfile_name FROM PUBLIC', 'suite');
      const { history: none, number } = await new PostgresChanges(database).place();
      assert.deepEqual([none, number], ['', await store.changes.newest()]);
      // What it said once stands: a refusal in between is no other history.
      await assert.rejects(spoken.place(), { code: 'store_unavailable' });
    } finally {
      await server.run('GRANT EXECUTE ON FUNCTION pg_walfile_name TO PUBLIC', 'suite');
      await database.close();
      await server.run('DROP OWNED BY looker; DROP ROLE looker', 'suite');
    }
  });

  test('whoever follows a store is told that it may have gone back, at each connection but the first', async () => {
    await using store = await emptyStore();
    const told: boolean[] = [];
    store.onChange((isUncertain) => told.push(isUncertain));
    await waitUntil('the first look', () => told.length > 0);
    await server.run(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%change_counter%' AND pid <> pg_backend_pid()`,
      'suite',
    );
    await waitUntil('another connection', () => told.length > 1);
    assert.deepEqual(told.slice(0, 2), [false, true]);
  });

  test('a transaction whose connection is ended leaves nothing, inside or outside, and the next one is sound', async () => {
    await using store = await emptyStore();
    await server.run(
      `CREATE FUNCTION end_me() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
       CREATE TRIGGER end_me BEFORE INSERT ON consumed_token FOR EACH ROW EXECUTE FUNCTION end_me()`,
      'suite',
    );
    await store.sessions.enrol(newSession('a'), bounds);
    await refused(store.sessions.commit('a', 2000), /it is shut down/);
    await server.run('DROP TRIGGER end_me ON consumed_token; DROP FUNCTION end_me()', 'suite');
    assert.equal((await store.sessions.find('a'))?.state, 'enrolled');
    assert.equal(await store.tokens.consumedBy('token-1'), undefined);
    assert.deepEqual(await store.sessions.commit('a', 2000), { kind: 'committed' });
  });

  test('a statement that waits for a lock, and a server that says nothing, have a deadline', async () => {
    const limits = { ...defaultLimits, storeStatementTimeoutMs: 200, storeConnectTimeoutMs: 200 };
    await using first = await emptyStore();
    await using store = await openPostgresStore(server.url('suite'), { limits });
    await server.run(
      `CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$;
       CREATE TRIGGER stall BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION stall()`,
      'suite',
    );
    await refused(store.audit.append([auditEntry('a')]), /no response in time/);
    await server.run('DROP TRIGGER stall ON audit; DROP FUNCTION stall()', 'suite');
    await store.audit.append([auditEntry('a')]);
    assert.equal((await first.audit.held()).events, 1);
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    // Its address is one of TCP.
    const { port } = silent.address() as AddressInfo;
    await refused(
      openPostgresStore(`postgres://gateway@127.0.0.1:${port}/suite`, { limits }),
      /cannot be read: .*time/,
    );
    silent.close();
  });

  test('a link that carries nothing any more ends the statement, and closing does not wait for it', async () => {
    await using _made = await emptyStore();
    const links: Socket[] = [];
    const relay = createServer((client) => {
      const own = connect(`${server.socketDirectory}/.s.PGSQL.${server.port}`);
      for (const [from, to] of [
        [client, own],
        [own, client],
      ] as const) {
        from.on('error', () => to.destroy()).on('close', () => to.destroy());
        from.pipe(to);
      }
      links.push(client, own);
    }).listen(0, '127.0.0.1');
    await once(relay, 'listening');
    // Its address is one of TCP.
    const { port } = relay.address() as AddressInfo;
    const limits = { ...defaultLimits, storeStatementTimeoutMs: 200, storeStopTimeoutMs: 200 };
    const options = { limits, dangerouslyWithoutTls: true };
    const store = await openPostgresStore(`postgres://postgres@127.0.0.1:${port}/suite`, options);
    const told = Promise.withResolvers<void>();
    store.onChange(() => told.resolve());
    await told.promise;
    for (const link of links) link.unpipe().pause();
    await refused(store.sessions.list({ limit: 1 }), /cannot be read: Query read timeout/);
    await store.close();
    for (const link of links) link.destroy();
    relay.close();
  });

  test('over TCP the server is verified and asks for the password of the source; what fails is one line', async () => {
    await using _made = await emptyStore();
    const url = `postgres://gateway@127.0.0.1:${server.port}/suite`;
    const right = { ca: authority.caPem, password: async () => new Secret(password) };
    await using store = await openStore(url, { ...right, isReader: true });
    assert.ok(store.sessions);
    const wrong = async () => new Secret(`${password}x`);
    await refused(openStore(url, { ...right, password: wrong }), /the user or the password is refused/);
    const gone = () => Promise.reject(new ProxyError('credential_unavailable', 'the file is gone'));
    await refused(openStore(url, { ...right, password: gone }), /^the file is gone$/);
    await refused(openStore(url, { ...right, password: undefined }), /asks for a password; name its source/);
    await refused(openStore(url, { password: right.password }), /certificate is not trusted .*store\.ca/);
    const named = url.replace('127.0.0.1', 'localhost');
    await refused(openStore(named, right), /certificate is not trusted \(ERR_TLS_CERT_ALTNAME_INVALID\)/);
    await refused(openStore(url, { ...right, dangerouslyWithoutTls: true }), /no encryption/);
    await refused(openStore(url.replace('suite', 'nowhere'), right), /no database of that name/);
    await refused(openStore(url.replace(`${server.port}`, '1'), right), /nothing listens there/);
  });

  test('a store that cannot be used is refused in one line and left as it was', async () => {
    const name = await emptyDatabase();
    const tables = async (): Promise<number> =>
      Number(
        (await server.run(`SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`, name)).rows[0]?.count,
      );
    await server.run(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    await refused(openStore(server.url(name)), /it is read-only; a gateway needs the primary/);
    await server.run(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
    await refused(openStore(server.url(name), { isReader: true }), /The store is empty/);
    const failing = {
      version: migrations.length + 1,
      servesFrom: 1,
      script: 'CREATE TABLE half (); SELECT 1 / 0',
    };
    assert.equal(await tables(), 0);
    await refused(
      openPostgresStore(server.url(name), { migrations: [...migrations, failing] }),
      /division by zero \(SQLSTATE 22012\)/,
    );
    // Those before it are whole, of the failing one there is nothing.
    await using store = await openStore(server.url(name));
    assert.deepEqual(await store.sessions.list({ limit: 1 }), []);
    const { rows } = await server.run(`SELECT to_regclass('half') AS half`, name);
    assert.equal(rows[0]?.half, null);
    const later = migrations.length + 1;
    await server.run(`UPDATE schema_version SET version = ${later}, serves_from = 1`, name);
    await using beside = await openStore(server.url(name));
    assert.ok(beside.sessions);
    await server.run(`UPDATE schema_version SET serves_from = ${later}`, name);
    await refused(
      openStore(server.url(name)),
      new RegExp(`schema version ${later}, this program knows versions up to ${later - 1}`),
    );
    const foreign = await emptyDatabase();
    await server.run('CREATE TABLE other ()', foreign);
    await refused(openStore(server.url(foreign)), /holds something else/);
    await server.run(`CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0`);
    await refused(openStore(server.url('latin')), /its encoding is LATIN1/);
  });

  test('gateways that open an empty database at the same moment all get the whole schema', async () => {
    const url = server.url(await emptyDatabase());
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStore(url)));
    for (const store of stores) {
      assert.deepEqual(await store.audit.held(), { events: 0, bytes: 0 });
      await store.close();
    }
  });

  test('a role that may only read reads, and is refused where it writes', async () => {
    await using store = await emptyStore();
    await store.sessions.enrol(newSession('a'), bounds);
    await server.run(
      `CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader`,
      'suite',
    );
    await using reader = await openStore(server.url('suite', 'reader'), { isReader: true });
    assert.equal((await reader.sessions.list({ limit: 10 })).length, 1);
    assert.deepEqual(await reader.audit.query({ limit: 10 }), []);
    await refused(
      reader.sessions.end('a', { state: 'revoked', reason: 'x' }, 2000),
      /permission denied for table session/,
    );
  });

  test('a word that a workload wrote may have any character', async () => {
    await using store = await emptyStore();
    const reason = 'nul \0, lone \ud800, quote \' " \\ { }, ä';
    await store.sessions.enrol(newSession('a', { agentVersion: reason }), bounds);
    assert.equal(
      (await store.sessions.find('a'))?.agentVersion,
      reason.replace('\0', '\ufffd').replace('\ud800', '\ufffd'),
    );
    const entry = auditEntry('e', {
      json: JSON.stringify({ ...JSON.parse(auditEntry('e').json), path: reason }),
    });
    await store.audit.append([entry]);
    assert.equal((await store.audit.find('e'))?.path, reason);
  });
});
