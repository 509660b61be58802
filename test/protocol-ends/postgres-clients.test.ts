// Real clients of PostgreSQL in front of a real server: what they do in a session, and over which TLS and log-in they have it.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';

import { Client } from 'pg';

import { patienceMs } from '../support/patience.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.ts';
import {
  connectTo,
  host,
  openScene,
  password,
  type PostgresScene,
  startServer,
} from './support/postgres-scene.ts';
import { query, RawClient } from './support/raw-client.ts';

const binaries = postgresBinaries();
const hasPsql = spawnSync('psql', ['--version']).status === 0;
const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : 'missing' in binaries
      ? binaries.missing
      : hasPsql
        ? false
        : 'psql is not installed (apt-get install postgresql-client)';
const options = { skip, timeout: 4 * patienceMs };

const stack = new AsyncDisposableStack();
let scene: PostgresScene;
let plain: PostgresScene;
let folder: TemporaryDirectory;

before(async () => {
  if (skip !== false) return;
  folder = stack.use(await temporaryDirectory());
  scene = stack.use(await openScene(stack.use(await startServer())));
  plain = stack.use(await openScene(stack.use(await startServer({ withoutTls: true }))));
  writeFileSync(join(folder.path, 'ca.pem'), scene.path.caPem);
});
after(async () => {
  await stack.disposeAsync();
});

interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** A program of PostgreSQL with nothing of a user's own. */
function start(
  program: string,
  args: readonly string[],
  { port }: PostgresScene,
  more: Readonly<Record<string, string>> = {},
) {
  return spawn(program, args, {
    env: {
      PATH: process.env['PATH'],
      HOME: folder.path,
      PGHOST: host,
      PGHOSTADDR: '127.0.0.1',
      PGPORT: String(port),
      ...more,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

async function run(
  program: string,
  args: readonly string[],
  of: PostgresScene,
  more: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const child = start(program, args, of, more);
  child.stdin.end();
  const [out, err, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  // The first argument of 'close'.
  return { code: code as number | null, out, err };
}

const psql = (sql: string, of: PostgresScene, more?: Readonly<Record<string, string>>): Promise<Ran> =>
  run('psql', ['-X', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-c', sql], of, more);

test(
  'psql connects with every sslmode, whatever the server asks for as log-in, and nobody has a password',
  options,
  async () => {
    for (const [user, more] of [
      ['agent', ''],
      ['md5er', ', authentication: [scram-sha-256, md5]'],
      ['clear', ', authentication: cleartext'],
      ['trusted', ''],
    ] as const) {
      scene.setRule(`databases: [orders, postgres]${more}`, `inject: ${user}`);
      for (const PGSSLMODE of ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']) {
        const environment = {
          PGSSLMODE,
          PGSSLROOTCERT: join(folder.path, PGSSLMODE.startsWith('verify') ? 'ca.pem' : 'none.pem'),
        };
        const { out, err } = await psql('SELECT current_user, current_database()', scene, environment);
        assert.equal(out.trim(), `${user}|orders`, `${PGSSLMODE}: ${err}`);
      }
      const { out } = await psql('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()', scene, {
        PGSSLMODE: 'disable',
      });
      assert.equal(out.trim(), 't', 'towards the server there is TLS in any case');
    }
    scene.setRule();
  },
);

test('clients that want to see a log-in see one, bound to the leaf of the gateway', options, async () => {
  scene.setRule('databases: orders, clientAuthentication: scram-sha-256');
  const placeholder = 'upstreamproxy-placeholder-agent';
  for (const PGSSLMODE of ['disable', 'require', 'verify-full']) {
    const PGCHANNELBINDING = PGSSLMODE === 'disable' ? 'disable' : 'require';
    const environment = { PGSSLMODE, PGCHANNELBINDING, PGSSLROOTCERT: join(folder.path, 'ca.pem') };
    const { out, err } = await psql('SELECT current_user', scene, {
      ...environment,
      PGPASSWORD: placeholder,
    });
    assert.equal(out.trim(), 'agent', `${PGSSLMODE}: ${err}`);
    const wrong = await psql('SELECT 1', scene, { ...environment, PGPASSWORD: 'another-password' });
    assert.match(wrong.err, /FATAL: {2}rule orders-db: the client does not log in .*another password/);
  }
  const client = new Client({ host: '127.0.0.1', port: scene.port, user: 'me', password: placeholder });
  await client.connect();
  await client.end();
  scene.setRule();
  const bound = await psql('SELECT 1', scene, { PGCHANNELBINDING: 'require', PGPASSWORD: placeholder });
  assert.match(bound.err, /channel binding required/, 'a rule that asks for nothing proves nothing');
});

test('a certificate of somebody else is seen by a client that looks', options, async () => {
  const authority = { PGSSLROOTCERT: join(folder.path, 'ca.pem'), PGSSLMODE: 'verify-full' };
  const { err } = await psql('SELECT 1', scene, { ...authority, PGHOST: 'other.test' });
  // The name in the ClientHello is another one, too: the connection ends there.
  assert.match(err, /does not match host name|SSL SYSCALL error|unexpectedly|SSL error/);
});

test(
  'methods that show the password are used only where the rule says so, and never without TLS',
  options,
  async () => {
    for (const [of, user, rule, said] of [
      [scene, 'md5er', '', /method md5, which the rule does not allow/],
      [scene, 'clear', '', /method cleartext, which the rule does not allow/],
      [scene, 'agent', ', authentication: md5', /method scram-sha-256, which the rule does not allow/],
      [plain, 'md5er', ', authentication: md5, dangerouslyAllowPlaintext: true', /method md5 without TLS/],
      [
        plain,
        'clear',
        ', authentication: cleartext, dangerouslyAllowPlaintext: true',
        /method cleartext without TLS/,
      ],
      [plain, 'agent', '', /has no TLS/],
    ] as const) {
      of.setRule(`databases: orders${rule}`, `inject: ${user}`);
      const { err } = await psql('SELECT 1', of);
      assert.match(err, said);
      assert.match(err, /FATAL: {2}rule orders-db/);
    }
    plain.setRule('databases: orders, dangerouslyAllowPlaintext: true');
    const { out, err } = await psql('SELECT current_user', plain);
    assert.equal(out.trim(), 'agent', err);
    for (const one of [scene, plain]) one.setRule();
  },
);

test(
  'a server that is not trusted, or does not take the password, is told of without its own words',
  options,
  async () => {
    scene.setRule('databases: orders', 'inject: wrong');
    const { err } = await psql('SELECT 1', scene);
    assert.match(
      err,
      /FATAL: {2}rule orders-db: db\.test does not take the log-in of the gateway \(SQLSTATE 28P01\)/,
    );
    assert.doesNotMatch(err, /password authentication failed|agent/);
    assert.match(JSON.stringify(scene.path.audit.at(-1)), /password authentication failed/);
    scene.setRule();
    await using other = await openScene({ server: scene.server, caPem: plain.path.caPem });
    const untrusted = await psql('SELECT 1', other);
    assert.match(untrusted.err, /FATAL: {2}rule orders-db: .*db\.test/);
    assert.equal(other.path.audit.at(-1)?.errorCode, 'origin_untrusted');
  },
);

test('COPY carries bytes both ways unchanged', options, async () => {
  const rows = Array.from({ length: 200_000 }, (_, i) => `${String(i)}\t${'x'.repeat(i % 97)}\n`).join('');
  const file = join(folder.path, 'rows.tsv');
  const back = join(folder.path, 'back.tsv');
  writeFileSync(file, rows);
  const sql = [
    'CREATE TABLE copied (n int, t text)',
    String.raw`\copy copied FROM '${file}'`,
    String.raw`\copy (SELECT * FROM copied ORDER BY n) TO '${back}'`,
    'DROP TABLE copied',
  ];
  const { err, code } = await run(
    'psql',
    ['-X', '-v', 'ON_ERROR_STOP=1', ...sql.flatMap((one) => ['-c', one])],
    scene,
  );
  assert.equal(code, 0, err);
  assert.ok(readFileSync(back, 'utf8') === rows);
});

test('a COPY that fails leaves the session in order', options, async () => {
  const client = new RawClient(await connectTo(scene));
  client.start();
  await client.untilReady();
  client.send(query('CREATE TEMP TABLE one (n int)'));
  await client.untilReady();
  client.send(query('COPY one FROM STDIN'));
  assert.equal((await client.next())?.text.charAt(0), 'G');
  const data = Buffer.from('no number\n');
  const copyData = Buffer.concat([Buffer.of(0x64, 0, 0, 0, data.length + 4), data]);
  client.send(copyData, copyData, Buffer.of(0x63, 0, 0, 0, 4), query('SELECT 1'));
  assert.match((await client.untilReady()).join(''), /^E .*C22P02/);
  assert.match((await client.untilReady()).join(''), /^T /);
  client.socket.destroy();
});

test('notifications, prepared statements, pipelines and errors in the midst work', options, async () => {
  const [listener, talker] = ['one', 'two'].map(
    (name) => new Client({ host: '127.0.0.1', port: scene.port, user: name }),
  );
  assert.ok(listener !== undefined && talker !== undefined);
  await Promise.all([listener.connect(), talker.connect()]);
  const heard = once(listener, 'notification');
  await listener.query('LISTEN news');
  await talker.query("NOTIFY news, 'hello'");
  assert.equal(((await heard) as [{ readonly payload?: string }])[0].payload, 'hello');
  const named = { name: 'twice', text: 'SELECT $1::int * 2 AS n' };
  for (const n of [1, 2])
    assert.deepEqual((await talker.query({ ...named, values: [n] })).rows, [{ n: n * 2 }]);
  // Asked before anything came back; one of them fails.
  const said = await Promise.allSettled([
    talker.query('SELECT 1 AS n'),
    talker.query('SELECT nothing'),
    talker.query('SELECT 3 AS n'),
  ]);
  assert.deepEqual(
    said.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  await Promise.all([listener.end(), talker.end()]);
});

test('psql cancels with an interrupt', options, async () => {
  const child = start('psql', ['-X', '-c', 'SELECT pg_sleep(120)'], scene);
  child.stdin.end();
  while (
    (
      await scene.server.run(
        "SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(120)' AND state = 'active'",
      )
    ).rows.length === 0
  );
  child.kill('SIGINT');
  assert.match(await text(child.stderr), /canceling statement due to user request/);
});

test(
  'a reader that is slow holds the server back, and gets all of it',
  { ...options, timeout: 8 * patienceMs },
  async () => {
    const socket = await connectTo(scene);
    const client = new RawClient(socket);
    client.start();
    await client.untilReady();
    const rows = 300_000;
    const read = { bytes: 0 };
    socket.removeAllListeners('data');
    socket.pause();
    scene.received.length = 0;
    client.send(query(`SELECT repeat('y', 1000) FROM generate_series(1, ${String(rows)})`));
    const state =
      "SELECT wait_event FROM pg_stat_activity WHERE query LIKE 'SELECT repeat%' AND wait_event = 'ClientWrite'";
    while ((await scene.server.run(state)).rows.length === 0);
    const held = scene.received.reduce((sum, { length }) => sum + length, 0);
    assert.ok(held < 32 * 2 ** 20, `${String(held)} bytes came to a client that reads nothing`);
    const all = once(socket, 'end');
    socket.on('data', (chunk: Buffer) => {
      read.bytes += chunk.length;
      // What the scene keeps to look through is not what is measured.
      scene.received.length = 0;
      if (read.bytes > rows * 1000 && chunk.at(-6) === 0x5a) socket.end(Buffer.of(0x58, 0, 0, 0, 4));
    });
    socket.resume();
    await all;
    assert.ok(read.bytes > rows * 1000);
  },
);

test('a GiB passes with a memory that stays', { ...options, timeout: 8 * patienceMs }, async () => {
  const file = join(folder.path, 'big.txt');
  // A GiB of it.
  const rows = 1_048_000;
  let most = 0;
  const before = process.memoryUsage.rss();
  const look = setInterval(() => {
    // What the scene keeps to look through is not what is measured.
    scene.received.length = 0;
    most = Math.max(most, process.memoryUsage.rss());
  }, 20);
  const made = `SELECT repeat(md5(n::text), 32) FROM generate_series(1, ${String(rows)}) AS n`;
  const { code, err } = await run('psql', ['-X', '-c', String.raw`\copy (${made}) TO '${file}'`], scene);
  clearInterval(look);
  assert.equal(code, 0, err);
  assert.equal(statSync(file).size, rows * 1025);
  assert.ok(most - before < 150 * 2 ** 20, `${String(Math.round((most - before) / 2 ** 20))} MiB more`);
});

test('the budget of a rule ends a session, and the audit says what passed', options, async () => {
  scene.setRule('databases: orders', 'inject: agent, limits: { bytesPerSession: 100000 }');
  const { err } = await psql("SELECT repeat('z', 1000) FROM generate_series(1, 1000)", scene);
  assert.match(
    err,
    /server closed the connection unexpectedly|connection to server was lost|FATAL: {2}rule orders-db: .*bytesPerSession/,
  );
  const event = scene.path.audit.at(-1);
  assert.equal(event?.errorCode, 'limit_exceeded');
  assert.ok((event.responseBytes ?? 0) > 0);
  scene.setRule();
});

test(
  'settings of the rule hold where the session begins, and the role has the last word',
  options,
  async () => {
    scene.setRule('databases: orders, parameters: { role: other, statement_timeout: 7s }');
    const { out, err } = await psql('SELECT current_user, session_user; SHOW statement_timeout', scene, {
      PGOPTIONS: '-c statement_timeout=0',
    });
    assert.equal(out.trim(), 'other|agent\n7s', err);
    // As the documents say: it is no boundary.
    assert.equal(
      (await psql('SET ROLE NONE; SELECT current_user', scene)).out.trim().split('\n').at(-1),
      'agent',
    );
    scene.setRule();
  },
);

test('the password is in nothing that clients were sent, nor in the audit', options, async () => {
  const { out } = await psql('SELECT current_setting($$application_name$$)', scene);
  assert.equal(out.trim(), 'psql');
  const seen = [scene, plain].flatMap((one) => [
    Buffer.concat(one.received).toString('latin1'),
    JSON.stringify(one.path.audit),
  ]);
  for (const one of seen) assert.ok(!one.includes(password) && !one.includes('canary'));
});
