// Operators by logins of their own, with the roles of deploy/postgres/roles.sql: what they do, what they cannot, and what a gateway makes of it.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { Client } from 'pg';
import { ActRecorder } from '../../../src/gateway/audit/act-recorder.ts';
import { AuditLog } from '../../../src/gateway/audit/audit-log.ts';
import { openPostgresStore } from '../../../src/store/postgres/postgres-store.ts';
import { versionOf } from '../../../src/gateway/policies/policy-version.ts';
import type { Store } from '../../../src/store/store.ts';
import { newSession } from '../../conformance/new-session.ts';
import { newPolicy, policyBounds } from '../../conformance/policies.ts';
import { accessRequest } from '../../conformance/store.ts';
import { postgresBinaries, type PostgresServer, startPostgres } from '../../support/postgres-server.ts';
import { waitUntil } from '../../support/program.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;
const roles = new URL('../../../deploy/postgres/roles.sql', import.meta.url);
const bounds = { enrolmentsPerTokenMax: 10 };
const accessBounds = {
  accessPendingPerSessionMax: 9,
  accessRequestsPerSessionMax: 9,
  accessPendingPerPrincipalMax: 9,
  accessRequestsPerPrincipalMax: 9,
  accessRequestsMax: 9,
};
const laterMs = 9_000_000_000_000;
let server: PostgresServer;
let databases = 0;

/** A database with the roles, the schema made by its owner, and a login of an operator. */
async function scene(): Promise<{ readonly database: string; readonly gateway: Store; readonly ada: Store }> {
  databases += 1;
  const database = `acts${databases}`;
  await server.run(`CREATE DATABASE ${database} TEMPLATE template0 ENCODING 'UTF8'`);
  const script = await readFile(roles, 'utf8');
  await server.run(script, database);
  await (await openPostgresStore(server.url(database, 'upstreamproxy'))).close();
  await server.run(script, database);
  await server.run(
    `DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'ada') THEN
       CREATE ROLE ada LOGIN IN ROLE upstreamproxy_operator; CREATE ROLE eve LOGIN IN ROLE upstreamproxy_reader;
     END IF; END $$`,
    database,
  );
  const gateway = await openPostgresStore(server.url(database, 'upstreamproxy_gateway'));
  await gateway.sessions.enrol(newSession('a', { commitByMs: laterMs, endsMs: laterMs }), bounds);
  await gateway.sessions.enrol(
    newSession('b', { tokenKey: 'b', commitByMs: laterMs, endsMs: laterMs }),
    bounds,
  );
  await gateway.sessions.commit('b', 2000);
  const ada = await openPostgresStore(server.url(database, 'ada'), { isOperator: true });
  return { database, gateway, ada };
}

async function close({ gateway, ada }: { readonly gateway: Store; readonly ada: Store }): Promise<void> {
  await Promise.all([gateway.close(), ada.close()]);
}

/** As that login, over a connection of its own. */
async function as(user: string, database: string, ...statements: readonly string[]): Promise<unknown> {
  const client = new Client({ host: server.socketDirectory, port: server.port, user, database });
  client.on('error', () => {});
  await client.connect();
  try {
    let rows: readonly unknown[] = [];
    for (const sql of statements) ({ rows } = await client.query(sql));
    return rows[0];
  } finally {
    await client.end();
  }
}

describe('acts of operators', { skip }, () => {
  before(async () => {
    server = await startPostgres();
  });
  after(() => server[Symbol.asyncDispose]());

  test('an operator revokes, decides and publishes; the gateway takes each act into its audit once', async () => {
    const parts = await scene();
    const { gateway, ada } = parts;
    assert.equal(ada.actsAs, 'ada');
    assert.equal(gateway.actsAs, undefined);
    const before = await gateway.changes.newest();
    assert.equal(await ada.sessions.end('a', { state: 'revoked', reason: 'stolen' }, 1), true);
    assert.equal(await ada.sessions.end('a', { state: 'revoked', reason: 'again' }, 1), false);
    assert.equal(await ada.sessions.end('none', { state: 'revoked', reason: 'x' }, 1), false);
    assert.equal(await ada.sessions.end('b', { state: 'revoked', reason: 'stolen too' }, 1), true);
    const { endings } = await gateway.sessions.endingsSince(0);
    assert.deepEqual(
      endings.map(({ sessionId, reason }) => [sessionId, reason]),
      [
        ['a', 'stolen'],
        ['b', 'stolen too'],
      ],
    );
    // One that was not committed took its token with it.
    assert.equal((await gateway.sessions.enrol(newSession('c'), bounds)).kind, 'token_revoked');

    await gateway.sessions.enrol(
      newSession('d', { tokenKey: 'd', commitByMs: laterMs, endsMs: laterMs }),
      bounds,
    );
    for (const id of ['r', 's', 't'])
      await gateway.access.file(accessRequest(id, { sessionId: 'd', pendingUntilMs: laterMs }), accessBounds);
    const nowMs = Date.now();
    const terms = { scope: 'path', subject: 'session', endsMs: nowMs + 60_000 } as const;
    assert.equal(await ada.access.grant('r', terms, { nowMs, note: 'for an hour' }), true);
    assert.equal(await ada.access.deny('s', { nowMs }), true);
    assert.equal(await ada.access.deny('s', { nowMs }), false);
    assert.equal(await ada.access.revoke('r', { nowMs }), true);
    assert.deepEqual(
      [(await gateway.access.find('r'))?.state, (await gateway.access.find('s'))?.state],
      ['revoked', 'denied'],
    );
    const first = await ada.policies.publish(newPolicy('one', { note: 'why' }), 0, policyBounds);
    assert.ok(first.kind === 'published');
    assert.equal(first.version.publishedBy, 'ada');
    assert.deepEqual(await gateway.policies.files(first.version.hash), [
      { name: 'policy.yaml', text: 'one' },
    ]);
    assert.equal((await ada.policies.publish(newPolicy('two'), 0, policyBounds)).kind, 'changed');
    const team = await ada.policies.publish(
      newPolicy('x', { policy: 'web', binding: { team: 'web' } }),
      0,
      policyBounds,
    );
    assert.ok(team.kind === 'published');
    assert.deepEqual(team.version.binding, { team: 'web' });
    // As by the program: the same hash for the same files.
    const again = await gateway.policies.publish(newPolicy('one'), 1, policyBounds);
    assert.equal(again.kind === 'published' && again.version.hash, first.version.hash);
    assert.equal(await gateway.changes.newest(), before + 2 + 3 + 3);

    const audit = new AuditLog({ store: gateway.audit }, undefined);
    const recorders = ['one', 'other'].map(
      (taker) =>
        new ActRecorder({ acts: gateway.acts, audit, taker, isOnDuty: () => true, onFault: assert.ifError }),
    );
    await waitUntil(
      'all acts are taken',
      async () => (await server.run('SELECT 1 FROM operator_act', parts.database)).rows.length === 0,
    );
    for (const recorder of recorders) await recorder[Symbol.asyncDispose]();
    await audit.close();
    const events = (await gateway.audit.query({ limit: 100 })).toReversed();
    assert.deepEqual(events.map(({ action, details }) => [action, details?.['operator']]).sort(), [
      ['access_denied', 'ada'],
      ['access_granted', 'ada'],
      ['access_revoked', 'ada'],
      ['policy_published', 'ada'],
      ['policy_published', 'ada'],
      ['revoked', 'ada'],
      ['revoked', 'ada'],
    ]);
    const revoked = events.find(({ sessionId, action }) => sessionId === 'a' && action === 'revoked');
    assert.equal(revoked?.message, 'The session was revoked: stolen.');
    assert.equal(revoked?.principal, 'issuer|subject');
    await close(parts);
  });

  test('what a login grants is for no refs, also where it was granted for refs', async () => {
    const parts = await scene();
    const { gateway, ada, database } = parts;
    await gateway.access.file(accessRequest('r', { pendingUntilMs: laterMs }), accessBounds);
    const nowMs = Date.now();
    const terms = { scope: 'path', subject: 'session', endsMs: nowMs + 60_000 } as const;
    const refs = ['refs/heads/agent/**'];
    await gateway.access.grant('r', { ...terms, refs }, { nowMs });
    assert.deepEqual((await gateway.access.inForce(nowMs))[0]?.terms, { ...terms, refs });
    // What programs look for that know no refs.
    const ends = await server.run('SELECT ends_ms FROM access_request', database);
    assert.equal(ends.rows[0]?.ends_ms, null);
    assert.equal(await ada.access.grant('r', terms, { nowMs }), true);
    const [granted] = await gateway.access.inForce(nowMs);
    assert.ok(granted?.terms !== undefined);
    assert.deepEqual([granted.terms.scope, granted.terms.refs], ['path', undefined]);
    const { rows } = await server.run(
      `SELECT prosecdef, proconfig::text AS set FROM pg_proc WHERE proname = 'operator_grant_access'`,
      database,
    );
    assert.deepEqual(rows, [{ prosecdef: true, set: '{"search_path=pg_catalog, public, pg_temp"}' }]);
    await close(parts);
  });

  test('an act that was taken and not recorded is taken again, and stays one event', async () => {
    const parts = await scene();
    const { gateway, ada, database } = parts;
    await ada.sessions.end('a', { state: 'revoked', reason: 'x' }, 1);
    const [act] = await gateway.acts.take('killed', 10);
    assert.ok(act !== undefined);
    assert.deepEqual(await gateway.acts.take('next', 10), []);
    await server.run(`UPDATE operator_act SET taken_at = taken_at - interval '61 seconds'`, database);
    assert.deepEqual(await gateway.acts.take('next', 10), [act]);
    await gateway.acts.recorded([act.id]);
    assert.deepEqual((await server.run('SELECT 1 FROM operator_act', database)).rows, []);
    await close(parts);
  });

  test('a login that writes tables, names somebody else, or shadows names gets nowhere', async () => {
    const parts = await scene();
    const { database, gateway } = parts;
    const denied = { code: '42501' };
    for (const sql of [
      `UPDATE session SET state = 'committed'`,
      'DELETE FROM session_ending',
      'UPDATE change_counter SET value = 0',
      'DELETE FROM audit',
      `INSERT INTO operator_act (id, at_ms, event) VALUES ('x', 1, '{}')`,
      'DELETE FROM operator_act',
      `SELECT operator_record('revoked', 'a', 'p', 'm', '{}')`,
      `SELECT operator_revoke_session('a', 'why', 'bob')`,
      `SELECT operator_publish_policy('main', '[]', 'v', NULL, 0, NULL, NULL, 'bob')`,
      'CREATE TABLE public.shadow (a int)',
      'SET ROLE upstreamproxy_gateway',
      'SET SESSION AUTHORIZATION upstreamproxy_gateway',
      'CREATE OR REPLACE FUNCTION operator_name(text) RETURNS text LANGUAGE sql AS $$ SELECT $1 $$',
    ])
      await assert.rejects(as('ada', database, sql), denied, sql);
    // A login that may only read does nothing.
    await assert.rejects(as('eve', database, `SELECT operator_revoke_session('a', 'why', NULL)`), denied);
    const reader = await openPostgresStore(server.url(database, 'eve'), { isOperator: true });
    await assert.rejects(
      reader.sessions.end('a', { state: 'revoked', reason: 'x' }, 1),
      /permission denied for function operator_revoke_session|permission denied for table/,
    );
    await reader.close();

    const shadows = [
      'CREATE TEMP TABLE session AS SELECT * FROM public.session',
      'CREATE TEMP TABLE operator_act (id text, at_ms bigint, event text)',
      'CREATE TEMP TABLE change_counter (one int, value bigint)',
      'CREATE TEMP TABLE audit (a int)',
      'GRANT INSERT ON pg_temp.audit TO ada',
      `CREATE FUNCTION pg_temp.operator_name(person text) RETURNS text LANGUAGE sql AS $$ SELECT 'bob' $$`,
      `CREATE FUNCTION pg_temp.operator_now_ms() RETURNS bigint LANGUAGE sql AS $$ SELECT 1::bigint $$`,
      `CREATE FUNCTION pg_temp.left(text, int) RETURNS text LANGUAGE sql AS $$ SELECT 'bob' $$`,
      'SET search_path = pg_temp, public',
    ];
    await assert.rejects(
      as('ada', database, ...shadows, `SELECT public.operator_revoke_session('a', 'why', 'bob')`),
      denied,
    );
    await as(
      'ada',
      database,
      ...shadows,
      'SET ROLE ada',
      `SELECT public.operator_revoke_session('a', 'why', NULL)`,
    );
    assert.equal((await gateway.sessions.find('a'))?.state, 'revoked');
    const [act, ...more] = await gateway.acts.take('g', 10);
    assert.deepEqual([act?.details['operator'], act?.sessionId, more.length], ['ada', 'a', 0]);
    assert.ok((act?.atMs ?? 0) > 1_000_000);
    // The gateway's role may, for those who come by its API.
    await as(
      'upstreamproxy_gateway',
      database,
      `SELECT operator_revoke_session('b', 'why', 'bob by the API')`,
    );
    assert.equal((await gateway.acts.take('g', 10))[0]?.details['operator'], 'bob by the API');
    await close(parts);
  });

  test('what no program would give is not taken, and leaves no act', async () => {
    const parts = await scene();
    const { database, gateway } = parts;
    await gateway.access.file(accessRequest('r', { sessionId: 'a', pendingUntilMs: laterMs }), accessBounds);
    const {
      path: _path,
      method: _method,
      ...wide
    } = accessRequest('w', { sessionId: 'a', pendingUntilMs: laterMs, host: 'wide.test' });
    await gateway.access.file(wide, accessBounds);
    const files = JSON.stringify([['policy.yaml', 'x']]);
    const { version } = newPolicy('x');
    const twice = JSON.stringify([
      ['policy.yaml', 'x'],
      ['policy.yaml', 'y'],
    ]);
    const both = versionOf(['x', 'y'].map((text) => ({ file: '', text })));
    for (const call of [
      `operator_grant_access('r', 'host', 'session', 86400001, NULL, NULL)`,
      `operator_grant_access('r', 'host', 'session', 0, NULL, NULL)`,
      `operator_grant_access('r', 'all', 'session', 1000, NULL, NULL)`,
      `operator_grant_access('r', NULL, 'session', 1000, NULL, NULL)`,
      `operator_grant_access('w', 'exact', 'session', 1000, NULL, NULL)`,
      `operator_close_access('r', 'ended', NULL, NULL)`,
      `operator_publish_policy('Main', '${files}', '${version}', NULL, 0, NULL, NULL, NULL)`,
      `operator_publish_policy('main', '{}', 'v', NULL, 0, NULL, NULL, NULL)`,
      `operator_publish_policy('main', '[[1,2]]', 'v', NULL, 0, NULL, NULL, NULL)`,
      `operator_publish_policy('main', '[["../x","y"]]', 'v', NULL, 0, NULL, NULL, NULL)`,
      `operator_publish_policy('main', 'x', 'v', NULL, 0, NULL, NULL, NULL)`,
      `operator_publish_policy('main', '${files}', 'v w', NULL, 0, NULL, NULL, NULL)`,
      `operator_publish_policy('main', '${files}', '${version}', '{"a":1}', 0, NULL, NULL, NULL)`,
      ...[
        'NULL',
        `'{}'`,
        `'[1]'`,
        `'{"a":{"b":1}}'`,
        `'{"a":1e999}'`,
        `'{"a":-1e999999}'`,
        `'{"a":1,"a":2}'`,
      ].map(
        (binding) =>
          `operator_publish_policy('web', '${files}', '${version}', ${binding}, 0, NULL, NULL, NULL)`,
      ),
      `operator_publish_policy('main', '${files}', '${both}', NULL, 0, NULL, NULL, NULL)`,
      `operator_publish_policy('main', '${twice}', '${both}', NULL, 0, NULL, NULL, NULL)`,
      `operator_publish_policy('main', '${files}', '${version}', NULL, 0, NULL, 9223372036854775807, NULL)`,
      `operator_publish_policy('main', '${files}', '${version}', NULL, 0, NULL, 1, NULL)`,
    ])
      assert.deepEqual(await as('ada', database, `SELECT ${call} AS outcome`), { outcome: 'usage' }, call);
    assert.deepEqual(await gateway.acts.take('g', 10), []);
    await as('ada', database, `SELECT operator_revoke_session('a', '${'x'.repeat(5000)}', NULL)`);
    assert.equal((await gateway.sessions.find('a'))?.reason?.length, 1000);
    await close(parts);
  });

  test('a version is published again with its own files alone, and is called as the program calls it', async () => {
    const parts = await scene();
    const { ada, gateway } = parts;
    const odd = [
      { name: 'b.yaml', text: '# \u202e "\\\n\u0007 é \u{1f600}' },
      { name: 'a.yaml', text: '' },
    ];
    const version = versionOf(odd.map(({ name, text }) => ({ file: name, text })));
    const one = await ada.policies.publish(newPolicy('', { files: odd, version }), 0, policyBounds);
    assert.equal(one.kind, 'published');
    assert.equal((await ada.policies.publish(newPolicy('x'), 1, policyBounds)).kind, 'published');
    await assert.rejects(ada.policies.publish(newPolicy('x', { backTo: 1 }), 2, policyBounds), {
      code: 'usage',
    });
    const again = newPolicy('', { files: odd, version, backTo: 1 });
    assert.equal((await ada.policies.publish(again, 2, policyBounds)).kind, 'published');
    const gone = newPolicy('', { files: [], version: versionOf([]) });
    assert.equal((await ada.policies.publish(gone, 3, policyBounds)).kind, 'published');
    assert.deepEqual((await gateway.policies.find('main', 3))?.backTo, 1);
    await assert.rejects(
      as('ada', parts.database, `SELECT operator_store_policy('main', '[]', 'v', NULL, 4, NULL, NULL, NULL)`),
      { code: '42501' },
    );
    await close(parts);
  });

  test('a version in the store that cannot be read is marked, and keeps nobody from the others', async () => {
    const parts = await scene();
    const { ada, gateway, database } = parts;
    const binding = { team: 'web' };
    await ada.policies.publish(newPolicy('x'), 0, policyBounds);
    await ada.policies.publish(newPolicy('y', { policy: 'web', binding }), 0, policyBounds);
    await server.run('UPDATE policy_version SET back_to = 9223372036854775807', database);
    await server.run(`UPDATE policy_version SET binding = '{"a":1e999}' WHERE policy = 'web'`, database);
    assert.deepEqual(
      (await gateway.policies.published()).map((one) => [one.policy, one.binding, one.backTo, one.damaged]),
      [
        ['main', undefined, undefined, 'back_to'],
        ['web', undefined, undefined, 'binding'],
      ],
    );
    await close(parts);
  });

  test('an act that cannot be read becomes an alarm, and those that wait with it are taken', async () => {
    const parts = await scene();
    const { ada, gateway, database } = parts;
    await server.run(
      `INSERT INTO operator_act (id, at_ms, event) VALUES ('x1', 1, 'nonsense'), ('x2', 1, '{"message":"m"}'),
         ('x3', 9223372036854775807, '{"action":"revoked","message":"m"}')`,
      database,
    );
    await ada.sessions.end('a', { state: 'revoked', reason: 'x' }, 1);
    const audit = new AuditLog({ store: gateway.audit }, undefined);
    const options = { acts: gateway.acts, audit, taker: 'one', isOnDuty: () => true };
    const recorder = new ActRecorder({ ...options, onFault: assert.ifError });
    await waitUntil(
      'all acts are taken',
      async () => (await server.run('SELECT 1 FROM operator_act', database)).rows.length === 0,
    );
    await recorder[Symbol.asyncDispose]();
    await audit.close();
    const events = await gateway.audit.query({ limit: 100 });
    assert.deepEqual(
      events.map(({ kind, action, id }) => [kind, action, kind === 'alarm' ? id : '']).sort(),
      [
        ['alarm', 'act_unreadable', 'x1'],
        ['alarm', 'act_unreadable', 'x2'],
        ['alarm', 'act_unreadable', 'x3'],
        ['session', 'revoked', ''],
      ],
    );
    await close(parts);
  });

  test('a transaction that a login leaves open ends by the database, and so does its wait for a lock', async () => {
    const parts = await scene();
    for (const setting of ['idle_in_transaction_session_timeout', 'lock_timeout'])
      assert.deepEqual(await as('ada', parts.database, `SHOW ${setting}`), { [setting]: '5s' });
    await close(parts);
  });
});
