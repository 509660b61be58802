// Real clients of MySQL in front of a real MariaDB, with TLS of clients and of the server and without.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, beforeEach, test } from 'node:test';

import { missingMariadb } from '../support/mariadb-server.ts';
import { patienceMs } from '../support/patience.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.ts';
import {
  host,
  type MysqlScene,
  openMysqlScene,
  password,
  type StartedMariadb,
  startMysqlServer,
} from './support/mysql-scene.ts';

const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : (missingMariadb() ?? false);
const options = { skip, timeout: 4 * patienceMs };
const tools = process.env['TEST_PROTOCOL_END_TOOLS'];
const withTools = {
  ...options,
  // Programs that each start several times.
  timeout: 3 * patienceMs,
  skip: skip !== false ? skip : tools === undefined ? 'the clients were not fetched' : false,
};

const stack = new AsyncDisposableStack();
const children = new Set<ReturnType<typeof spawn>>();
let started: StartedMariadb;
let scene: MysqlScene;
let plain: MysqlScene;
let folder: TemporaryDirectory;
let caFile: string;

before(async () => {
  if (skip !== false) return;
  folder = stack.use(await temporaryDirectory());
  started = stack.use(await startMysqlServer());
  scene = stack.use(await openMysqlScene(started));
  plain = stack.use(await openMysqlScene(stack.use(await startMysqlServer({ withoutTls: true }))));
  plain.setRule('{ databases: [orders, test], dangerouslyAllowPlaintext: true }');
  caFile = join(folder.path, 'ca.pem');
  writeFileSync(caFile, `${scene.path.caPem}${plain.path.caPem}`);
});
beforeEach(() => {
  if (skip === false) scene.setRule();
});
after(async () => {
  for (const child of children) child.kill();
  await stack.disposeAsync();
});

interface Running {
  readonly child: ReturnType<typeof spawn>;
  /** All that it said, once it has ended. */
  readonly said: Promise<string>;
}

function start(program: string, args: readonly string[], input: string | undefined = ''): Running {
  const child = spawn(program, args, {
    cwd: folder.path,
    env: { PATH: process.env['PATH'], HOME: folder.path, NODE_EXTRA_CA_CERTS: caFile, CA_FILE: caFile },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  children.add(child);
  child.once('close', () => children.delete(child));
  if (input !== undefined) child.stdin.end(input);
  const said = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { child, said: said.then(([out, err]) => `${out}${err}`) };
}

const arguments_ = (port: number, more: readonly string[]): readonly string[] => [
  '--no-defaults',
  '-h',
  '127.0.0.1',
  '-P',
  String(port),
  '-N',
  '-B',
  ...more,
];
const mariadb = (of: MysqlScene, args: readonly string[], input?: string): Promise<string> =>
  start('mariadb', arguments_(of.port, args), input).said;
const withoutTls = ['--skip-ssl'];
const ask = (of: MysqlScene, sql: string, more = withoutTls): Promise<string> =>
  mariadb(of, [...more, '-e', sql]);

test(
  'the command of MariaDB works with and without TLS, password and database, and is the user of the rule',
  options,
  async () => {
    for (const one of [scene, plain])
      for (const more of [
        withoutTls,
        ['--ssl', '--disable-ssl-verify-server-cert'],
        [`--ssl-ca=${caFile}`, '--disable-ssl-verify-server-cert'],
        ['--skip-ssl', '-u', 'root', '-pworthless'],
        ['--skip-ssl', '--compress'],
        ['--skip-ssl', '--default-auth=caching_sha2_password', '-pworthless'],
      ]) {
        const said = await ask(one, 'SELECT CURRENT_USER(), DATABASE(), @@hostname <> ""', more);
        assert.match(said, /^agent@127\.0\.0\.1\torders\t1\n/, more.join(' '));
        assert.match(
          await ask(one, 'SELECT DATABASE()', [...more, '-D', 'test']),
          /Unknown database|^test\n/,
        );
      }
  },
);

test(
  'a database that the rule does not name is none to begin with and none to change to, and SQL reaches what the user may',
  options,
  async () => {
    assert.equal(
      await ask(scene, 'SELECT 1', [...withoutTls, '-D', 'other']),
      'ERROR 1044 (42000): rule db: it does not name the database other\n',
    );
    const said = await mariadb(
      scene,
      [...withoutTls, '-f'],
      'use other\nSELECT DATABASE();\nuse orders\nSELECT 2;\n',
    );
    assert.match(said, /^orders\n2\n/);
    assert.match(said, /ERROR 1044 \(42000\) at line 1: rule db: it does not name this database/);
    assert.equal(
      await ask(scene, 'SELECT 1; USE other; SELECT DATABASE()', [...withoutTls, '--delimiter=//']),
      '1\nother\n',
    );
  },
);

test('LOAD DATA LOCAL is not there, nor a log of the server or its end', options, async () => {
  writeFileSync(join(folder.path, 'rows'), '1\tfrom the client\n');
  const load = "LOAD DATA LOCAL INFILE 'rows' INTO TABLE t";
  assert.match(await ask(scene, load, [...withoutTls, '--local-infile=1']), /ERROR (?:4166|1148|3948)/);
  assert.equal(await ask(scene, 'SELECT COUNT(*) FROM t'), '0\n');
  const binlog = [
    '--no-defaults',
    '-h',
    '127.0.0.1',
    '-P',
    String(scene.port),
    '--skip-ssl',
    '-R',
    'binlog.000001',
  ];
  assert.match(
    await start('mariadb-binlog', binlog).said,
    /rule db: the command (?:binlog_dump|register_slave) is not passed on/,
  );
  const admin = (command: string) =>
    start('mariadb-admin', [
      '--no-defaults',
      '-h',
      '127.0.0.1',
      '-P',
      String(scene.port),
      '--skip-ssl',
      command,
    ]).said;
  assert.match(await admin('shutdown'), /rule db: the command shutdown is not passed on/);
  assert.match(await admin('debug'), /rule db: the command debug is not passed on/);
  assert.match(await admin('ping'), /alive/);
  assert.match(await admin('status'), /Uptime/);
});

test('client_ed25519 logs in, a wrong password does not, and a rule can say by what', options, async () => {
  scene.setRule('{}', 'inject: signer');
  assert.equal(await ask(scene, 'SELECT CURRENT_USER(), DATABASE()'), 'signer@127.0.0.1\tNULL\n');
  scene.setRule('{ authentication: client_ed25519 }', 'inject: signer');
  assert.match(await ask(scene, 'SELECT CURRENT_USER()'), /signer/);
  scene.setRule('{ authentication: mysql_native_password }', 'inject: signer');
  assert.match(
    await ask(scene, 'SELECT 1'),
    /asks for the method client_ed25519, which the rule does not allow/,
  );
  scene.setRule('{}', 'inject: wrong');
  assert.equal(
    await ask(scene, 'SELECT 1'),
    `ERROR 1045 (28000): rule db: ${host} does not take the log-in of the gateway (error 1045)\n`,
  );
  assert.match(JSON.stringify(scene.path.audit.at(-1)), /Access denied for user/);
  scene.setRule();
});

test(
  'the password is shown to no server that is not trusted, and to none without TLS unless the rule says so',
  options,
  async () => {
    await using other = await openMysqlScene({ server: scene.server, caPem: plain.path.caPem });
    assert.match(await ask(other, 'SELECT 1'), /rule db: .*orders-db\.test/);
    assert.equal(other.path.audit.at(-1)?.errorCode, 'origin_untrusted');
    plain.setRule('{}');
    assert.match(await ask(plain, 'SELECT 1'), /rule db: orders-db\.test has no TLS/);
    assert.equal(plain.path.audit.at(-1)?.errorCode, 'origin_untrusted');
    plain.setRule('{ databases: [orders, test], dangerouslyAllowPlaintext: true }');
  },
);

test(
  'a client that only comes and goes, or says nothing that can be read, is nothing to the server',
  options,
  async () => {
    assert.equal(await ask(scene, 'SELECT 1'), '1\n');
    const aborted = (): string => scene.server.run("SHOW GLOBAL STATUS LIKE 'Aborted_connects%'");
    const before = aborted();
    scene.server.run('SET GLOBAL max_connect_errors = 3');
    const { connect } = await import('node:net');
    for (const said of [
      undefined,
      '\u0001\0\0\u0001x',
      'GET / HTTP/1.1\r\n\r\n',
      '\0\0\0\u0001',
      '\u00ff\u00ff\u00ff\u0001',
    ]) {
      const socket = connect(scene.port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'data');
      if (said === undefined) socket.end();
      else socket.write(Buffer.from(said, 'latin1'));
      socket.resume();
      await once(socket, 'close');
    }
    assert.equal(aborted(), before);
    assert.equal(await ask(scene, 'SELECT 1'), '1\n');
  },
);

/** Runs until it is killed, and says how that went. */
const sleeping = 'SELECT SLEEP(1000)';

async function isRunning(mark: string): Promise<string> {
  for (;;) {
    const id = scene.server.run(
      `SELECT id FROM information_schema.processlist WHERE info LIKE '%${mark}%' AND id <> CONNECTION_ID()`,
    );
    if (id !== '') return id;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('Ctrl-C of the command stops its own query', options, async () => {
  const running = start(
    'mariadb',
    arguments_(scene.port, [...withoutTls, '-f', '-e', `${sleeping}, 'own'; SELECT 'after'`]),
  );
  await isRunning('own');
  running.child.kill('SIGINT');
  const said = await running.said;
  assert.match(said, /query killed\.\n[^]*ERROR 1317 \(70100\)/);
  // The event comes when the connection has ended on both sides.
  while (!JSON.stringify(scene.path.audit).includes('"kill":1'))
    await new Promise((resolve) => setImmediate(resolve));
});

test('KILL by a number of another session is refused, by the own one it works', options, async () => {
  const running = start('mariadb', arguments_(scene.port, [...withoutTls, '-e', `${sleeping}, 'kept'`]));
  const id = await isRunning('kept');
  const other = arguments_(scene.otherPort, [...withoutTls, '-e', `KILL QUERY ${id}`]);
  assert.match(await start('mariadb', other).said, /ERROR 1094 .*no connection of this session/);
  for (const form of [`KILL USER agent`, `KILL QUERY ID ${id}`, `KILL (${id})`])
    assert.match(await ask(scene, form), /ERROR 1227 \(42000\)/);
  assert.notEqual(await isRunning('kept'), '');
  assert.equal(await ask(scene, `KILL QUERY ${id}`), '');
  assert.match(await running.said, /^1\tkept\n|ERROR 1317/);
});

test(
  'a refusal has its words whatever set and language a client has chosen for results',
  options,
  async () => {
    for (const chosen of [
      ...['ucs2', 'utf16', 'utf16le', 'utf32', 'swe7', 'NULL'].map((set) => `character_set_results=${set}`),
      "lc_messages='ru_RU', character_set_results=latin1",
      "lc_messages='ka_GE'",
      "sql_mode='ORACLE'",
    ])
      assert.match(
        await ask(scene, `SET ${chosen}; KILL USER agent`),
        /ERROR 1227 \(42000\).*: rule db: KILL is passed on as KILL/,
        chosen,
      );
  },
);

test(
  'a refused statement of more than 16 MiB is told as refused, and the connection goes on',
  options,
  async () => {
    const long = `KILL${' '.repeat(2 ** 24 + 1000)}7;\nSELECT 'goes on';\n`;
    const said = await mariadb(scene, [...withoutTls, '-f', '--max-allowed-packet=64M'], long);
    assert.match(said, /^goes on$/m);
    assert.match(said, /ERROR 1227 \(42000\).*: rule db: KILL is passed on as KILL/);
  },
);

/** A program with the packages that came from npm. */
async function node(source: string): Promise<unknown> {
  const file = join(tools ?? folder.path, `client-${String(process.pid)}.mjs`);
  writeFileSync(file, source);
  const said = await start(process.execPath, ['--max-old-space-size=256', file]).said;
  try {
    return JSON.parse(said.trim().split('\n').at(-1) ?? '');
  } catch (error) {
    throw new Error(said, { cause: error });
  }
}

const tls = `{ ca: (await import('node:fs')).readFileSync(process.env.CA_FILE), checkServerIdentity: () => undefined }`;

test(
  'the package mysql2 works, with prepared statements, several at once, a transaction and errors',
  withTools,
  async () => {
    for (const [of, more] of [
      [scene, ''],
      [scene, `, ssl: { ...${tls}, verifyIdentity: false }`],
      [scene, ", user: 'root', password: 'worthless'"],
      [plain, ', compress: true'],
    ] as const) {
      const out = await node(`
      import { createConnection } from 'mysql2/promise';
      const client = await createConnection({ host: '127.0.0.1', port: ${String(of.port)}, multipleStatements: true${more} });
      await client.query('TRUNCATE t');
      await client.beginTransaction();
      for (let i = 0; i < 50; i += 1) await client.execute('INSERT INTO t VALUES (?, ?)', [i, 'name ' + i]);
      await client.commit();
      const [rows] = await client.execute('SELECT name FROM t WHERE id = ?', [7]);
      const [several] = await client.query('SELECT 1 AS a; SELECT 2 AS b; SELECT CURRENT_USER() AS c');
      const refused = await client.changeUser({ user: 'root', password: 'x', database: 'mysql' }).catch((error) => error.sqlMessage ?? error.message);
      const failed = await client.query('SELECT nothing').catch((error) => [error.errno, error.sqlState]);
      const kill = await client.execute('KILL QUERY ?', [1]).catch((error) => error.sqlMessage);
      await client.ping();
      await client.reset();
      const [[after]] = await client.query('SELECT COUNT(*) AS n FROM t');
      await client.end();
      console.log(JSON.stringify([rows[0].name, several.map((one) => Object.values(one[0])[0]), refused, failed, kill, after.n]));
    `);
      assert.deepEqual(out, [
        'name 7',
        [1, 2, 'agent@127.0.0.1'],
        'rule db: the command change_user is not passed on',
        [1054, '42S22'],
        'rule db: KILL is passed on as KILL [CONNECTION | QUERY] and a number alone',
        50,
      ]);
    }
  },
);

test('the package mariadb works, with commands at once, in bulk and streamed', withTools, async () => {
  for (const [of, more] of [
    [scene, ''],
    [scene, `, ssl: { ...${tls}, rejectUnauthorized: true }`],
    [plain, ", user: 'root', password: 'worthless'"],
  ] as const) {
    const out = await node(`
      import { createConnection } from 'mariadb';
      const client = await createConnection({ host: '127.0.0.1', port: ${String(of.port)}, multipleStatements: true, connectTimeout: 30000${more} });
      await client.query('TRUNCATE t');
      const done = await client.batch('INSERT INTO t VALUES (?, ?)', Array.from({ length: 1000 }, (_, i) => [i, 'n' + i]));
      const [first, refused, last, again] = await Promise.allSettled([
        client.query('SELECT COUNT(*) AS n FROM t'),
        client.query('KILL USER agent'),
        client.query('SELECT CURRENT_USER() AS u'),
        client.execute('SELECT name FROM t WHERE id = ?', [999]),
      ]);
      let streamed = 0;
      for await (const row of client.queryStream('SELECT * FROM t')) streamed += row.id >= 0 ? 1 : 0;
      const changed = await client.changeUser({ user: 'root' }).catch((error) => error.sqlMessage);
      console.log(JSON.stringify([[done].flat().reduce((sum, one) => sum + one.affectedRows, 0), Number(first.value[0].n), refused.reason?.errno, last.value[0].u, again.value[0].name, streamed, changed]));
      await client.end();
    `);
    assert.deepEqual(out, [
      1000,
      1000,
      1227,
      'agent@127.0.0.1',
      'n999',
      1000,
      'rule db: the command change_user is not passed on',
    ]);
  }
});

test('packets of more than 16 MiB pass both ways', withTools, async () => {
  const out = await node(`
    import { createConnection } from 'mysql2/promise';
    const client = await createConnection({ host: '127.0.0.1', port: ${String(scene.port)} });
    const size = 2 ** 24 + 1000;
    const [[{ n }]] = await client.query('SELECT LENGTH(?) AS n', ['x'.repeat(size)]);
    const [[{ v }]] = await client.query('SELECT REPEAT("y", ?) AS v', [size]);
    const [[{ after }]] = await client.query('SELECT 1 AS after');
    await client.end();
    console.log(JSON.stringify([n - size, v.length - size, after]));
  `);
  assert.deepEqual(out, [0, 0, 1]);
});

test('a client that reads slowly holds up its server, and no memory of the gateway', withTools, async () => {
  // What the gateway sent is kept by the scene, so it is a scene of its own that forgets.
  await using slow = await openMysqlScene(started);
  const forget = setInterval(() => slow.received.splice(0), 5);
  const rss = (): number => process.memoryUsage.rss();
  const start = rss();
  let most = start;
  const watch = setInterval(() => {
    most = Math.max(most, rss());
  }, 20);
  const out = await node(`
    import { createConnection } from 'mysql2';
    const client = createConnection({ host: '127.0.0.1', port: ${String(slow.port)}, rowsAsArray: true });
    const query = client.query('SELECT REPEAT("z", 1000000) FROM seq_1_to_300');
    let rows = 0, octets = 0;
    query.on('result', (row) => {
      rows += 1;
      octets += row[0].length;
      if (rows % 50 === 0) { client.pause(); setTimeout(() => client.resume(), 20); }
    });
    query.on('end', () => { console.log(JSON.stringify([rows, octets])); client.end(); });
    query.on('error', (error) => { console.log(JSON.stringify(error.message)); client.destroy(); });
  `);
  clearInterval(watch);
  clearInterval(forget);
  assert.deepEqual(out, [300, 300_000_000]);
  assert.ok(most - start < 150 * 2 ** 20, `${String(Math.round((most - start) / 2 ** 20))} MiB more`);
});

test('the policy of the examples serves two groups of sessions', options, async () => {
  const example = readFileSync(new URL('../../examples/policy-mysql.yaml', import.meta.url), 'utf8');
  const own = example
    .replaceAll('hosts: shop-db.example.com', `hosts: ${host}\n    ports: ${String(scene.server.port)}`)
    .replaceAll('10.20.0.0/16', '127.0.0.0/8')
    .replaceAll('[shop, shop_test]', '[orders, other]')
    .replaceAll('databases: shop,', 'databases: orders,')
    .replaceAll('reports-login', 'signer')
    .replaceAll('shop-login', 'agent');
  scene.path.setPolicy(own);
  assert.equal(await ask(scene, 'SELECT CURRENT_USER(), DATABASE()'), 'agent@127.0.0.1\torders\n');
  assert.equal(await ask(scene, 'SELECT DATABASE()', [...withoutTls, '-D', 'other']), 'other\n');
  assert.match(
    await ask(scene, 'SELECT 1', [...withoutTls, '-D', 'mysql']),
    /rule shop: it does not name the database mysql/,
  );
  scene.setRule();
});

test('no client got the password, and the audit has no statement', options, () => {
  for (const one of [scene, plain]) {
    const audit = JSON.stringify(one.path.audit);
    const all = Buffer.concat(one.received).toString('latin1') + audit;
    assert.ok(!all.includes(password));
    assert.ok(!audit.includes('SELECT'));
    // Nothing of the mark of a stand-in either, and no proof of MariaDB's that it knows the password.
    assert.ok(!all.includes('does not pass this on'));
  }
});
