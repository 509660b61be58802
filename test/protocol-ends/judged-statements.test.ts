// Rules that read statements, in front of a real server: what passes, what does not and how the client is told, and what an attacker
// tries to have the server read in another way than the gateway did. Each attack has its control without such a rule.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Client, type QueryResult } from 'pg';

import { messageOf } from '../../src/gateway/databases/postgres/message.ts';
import { patienceMs } from '../support/patience.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { connectTo, openScene, type PostgresScene, startServer } from './support/postgres-scene.ts';
import { letters, query, RawClient } from './support/raw-client.ts';

const binaries = postgresBinaries();
const skip =
  process.env['TEST_PROTOCOL_ENDS'] === undefined
    ? '`npm run test:protocol-ends` runs it'
    : 'missing' in binaries
      ? binaries.missing
      : false;
const options = { skip, timeout: 4 * patienceMs };

const stack = new AsyncDisposableStack();
let scene: PostgresScene;

before(async () => {
  if (skip !== false) return;
  // The thread that reads may wait for a processor: what is too long by its octets is refused all the same.
  const limits = { databaseStatementTimeoutMs: patienceMs };
  scene = stack.use(await openScene(stack.use(await startServer()), { path: { limits } }));
  await scene.server.run('CREATE TABLE seen (n int, t text)', 'orders');
  await scene.server.run('GRANT ALL ON seen TO agent', 'orders');
});
after(async () => {
  await stack.disposeAsync();
});

const reads = 'databases: orders, statements: [select, insert]';

async function rawClient(parameters?: Readonly<Record<string, string>>): Promise<RawClient> {
  const client = new RawClient(await connectTo(scene));
  client.start(parameters);
  await client.untilReady();
  return client;
}

const parse = (sql: string, name = ''): Uint8Array => messageOf('P', `${name}\0${sql}\0\0\0`);
const bind = messageOf('B', '\0\0\0\0\0\0\0\0');
const execute = messageOf('E', '\0\0\0\0\0');
const sync = messageOf('S');
const runs = (sql: string): readonly Uint8Array[] => [parse(sql), bind, execute];

async function withClient<Result>(use: (client: Client) => Promise<Result>): Promise<Result> {
  const client = new Client({ host: '127.0.0.1', port: scene.port, user: 'me' });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function refusal(run: Promise<QueryResult>): Promise<string> {
  const error = await run.then(
    () => undefined,
    (fault: unknown) => fault,
  );
  assert.ok(error instanceof Error && 'code' in error, 'it was not refused');
  return `${String(error.code)} ${error.message}`;
}

test(
  'kinds of the rule pass, others are refused in the words of the protocol, and the session goes on',
  options,
  async () => {
    scene.setRule(reads);
    await withClient(async (client) => {
      await client.query('BEGIN');
      await client.query('INSERT INTO seen VALUES ($1, $2)', [1, 'canary-of-a-parameter']);
      await client.query("SELECT 'canary-of-a-literal'");
      const said = await refusal(client.query('DELETE FROM seen'));
      assert.equal(said, '42501 rule orders-db: statements of kind delete may not pass; select, insert may');
      // As after every error in a transaction.
      assert.match(await refusal(client.query('SELECT 1')), /^25P02 /);
      await client.query('ROLLBACK');
      assert.deepEqual((await client.query('SELECT n FROM seen')).rows, []);
      for (const sql of [
        'WITH gone AS (DELETE FROM seen RETURNING n) SELECT * FROM gone',
        '/* SELECT */ DROP TABLE seen',
        'SELECT * INTO other FROM seen',
        'EXPLAIN ANALYZE DELETE FROM seen',
        'PREPARE gone AS DELETE FROM seen',
        'SELECT 1; DROP TABLE seen',
        'DO $$ BEGIN DELETE FROM seen; END $$',
        "COPY seen TO PROGRAM 'cat'",
        'SELECT 1 FROM seen FOR UPDATE',
        'SELEC 1',
      ])
        assert.match(await refusal(client.query(sql)), /^42501 rule orders-db: /, sql);
    });
    const event = scene.path.audit.at(-1);
    const database = event?.details?.['database'] as {
      readonly statements: Readonly<Record<string, unknown>>;
    };
    const { statements, refused } = database.statements as Readonly<
      Record<string, Readonly<Record<string, number>>>
    >;
    assert.deepEqual(statements, { transaction: 2, insert: 1, select: 3 });
    assert.equal(refused?.['delete'], 4);
    assert.equal(refused?.['unreadable'], 1);
    assert.doesNotMatch(JSON.stringify(scene.path.audit), /canary-of-a/);
    scene.setRule();
    await withClient(async (client) => {
      await client.query('DELETE FROM seen');
    });
  },
);

test(
  'a refusal stands in its place among what the server says, and a batch is skipped up to its end',
  options,
  async () => {
    scene.setRule(reads);
    const client = await rawClient();
    client.send(
      query('SELECT pg_sleep(0.05)'),
      query('DROP TABLE seen'),
      query('SELECT 2'),
      ...runs('SELECT 3'),
      ...runs('TRUNCATE seen'),
      ...runs('SELECT 4'),
      sync,
      ...runs('SELECT 5'),
      sync,
    );
    assert.equal(letters(await client.untilReady()), 'TDCZ');
    const refused = await client.untilReady();
    assert.equal(letters(refused), 'EZ');
    assert.match(refused[0] ?? '', /SERROR\0VERROR\0C42501\0Mrule orders-db: statements of kind drop .*\0H/);
    assert.equal(letters(await client.untilReady()), 'TDCZ');
    const batch = await client.untilReady();
    assert.equal(letters(batch), '12DC1E'.replace('1E', 'EZ'));
    assert.match(batch.join(''), /kind truncate/);
    assert.equal(letters(await client.untilReady()), '12DCZ');
    // In pieces of one octet, too.
    for (const octet of Buffer.concat([query('DROP TABLE seen'), query('SELECT 6')]))
      client.send(Buffer.of(octet));
    assert.equal(letters(await client.untilReady()), 'EZ');
    assert.equal(letters(await client.untilReady()), 'TDCZ');
    client.socket.destroy();
    scene.setRule();
  },
);

const trick = String.raw`SELECT 'x\' || '; CREATE TABLE owned(); --'`;
const off = "SELECT set_config('standard_conforming_' || 'strings', 'off', false)";
const owned = async (): Promise<boolean> => {
  const { rows } = await scene.server.run("SELECT 1 FROM pg_tables WHERE tablename = 'owned'", 'orders');
  await scene.server.run('DROP TABLE IF EXISTS owned', 'orders');
  return rows.length > 0;
};

test('the server is not led to read strings in another way than the gateway', options, async () => {
  // Control: what it is that has to be kept away.
  const control = await rawClient();
  control.send(query(off), query(trick));
  await control.untilReady();
  await control.untilReady();
  control.socket.destroy();
  assert.ok(await owned());

  scene.setRule('databases: orders, statements: select');
  const attempts: readonly (readonly Uint8Array[])[] = [
    [query(off), query(trick)],
    [...runs(off), sync, query(trick)],
    [...runs(off), ...runs(trick), sync],
    [...runs(off), query(trick)],
    [query(`${off}; ${trick}`)],
    [
      query(
        "SELECT query_to_xml($$SELECT set_config('standard_conforming_strings', 'off', false)$$, true, true, '')",
      ),
      query(trick),
    ],
    [query('SET standard_conforming_strings = off'), query(trick)],
  ];
  for (const [i, attempt] of attempts.entries()) {
    const client = await rawClient();
    client.send(...attempt, query('SELECT 1'));
    let said = '';
    while (!said.includes('SELECT 1')) {
      const texts = await client.untilReady();
      said += texts.join('');
      if (texts.length === 0 || (letters(texts) === 'TDCZ' && said.includes('C42501'))) break;
    }
    client.socket.destroy();
    assert.ok(!(await owned()), `attempt ${String(i)}`);
  }
  const start = new RawClient(await connectTo(scene));
  start.start({ user: 'me', options: '-c standard_conforming_strings=off' });
  assert.match((await start.untilReady()).join(''), /C42501\0.*standard_conforming_strings/);
  scene.setRule();
});

test(
  'text beyond ASCII and backslashes pass where the server reads them as the gateway does',
  options,
  async () => {
    scene.setRule(reads);
    await withClient(async (client) => {
      assert.deepEqual((await client.query(String.raw`SELECT 'Zürich \d' AS t`)).rows, [
        { t: String.raw`Zürich \d` },
      ]);
      const all = await Promise.all(
        ['ä', 'ö', 'ü'].map((one) => client.query(`SELECT '${one}' AS t, $1::int`, [1])),
      );
      assert.deepEqual(
        all.map(({ rows }) => (rows as readonly { readonly t: string }[])[0]?.t),
        ['ä', 'ö', 'ü'],
      );
      await client.query("SELECT set_config('client_encoding', 'LATIN1', false)");
      assert.match(await refusal(client.query("SELECT 'ä'")), /client_encoding is not UTF8/);
      await client.query('SELECT 1');
    });
    scene.setRule();
  },
);

test(
  'readOnly begins with transactions that only read, and lets none be made that writes',
  options,
  async () => {
    scene.setRule('databases: orders, readOnly: true');
    await withClient(async (client) => {
      assert.deepEqual((await client.query('SHOW default_transaction_read_only')).rows, [
        { default_transaction_read_only: 'on' },
      ]);
      for (const sql of [
        'BEGIN READ WRITE',
        'SET TRANSACTION READ WRITE',
        'SET default_transaction_read_only = off',
        'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
        'INSERT INTO seen VALUES (1)',
      ])
        assert.match(await refusal(client.query(sql)), /^42501 rule orders-db/, sql);
      assert.match(await refusal(client.query("SELECT nextval('pg_catalog.x')")), /42P01/);
      // As the documents say: it narrows, and the rights of the role are the boundary.
      await client.query("SELECT set_config('default_transaction_read_only', 'off', false)");
      await client.query("SELECT query_to_xml('SELECT lo_create(0)', true, true, '')");
    });
    scene.setRule();
  },
);

test('COPY passes where the rule has it, both ways, with statements behind it', options, async () => {
  scene.setRule('databases: orders, statements: [select, copy-in, copy-out]');
  const client = await rawClient();
  client.send(query('COPY seen FROM STDIN'));
  assert.equal((await client.next())?.text.charAt(0), 'G');
  const data = (text: string): Uint8Array => messageOf('d', text);
  client.send(data('1\tä\n'), data('2\tDROP TABLE seen\n'), messageOf('c'), query("SELECT 'ü'"));
  assert.equal(letters(await client.untilReady()), 'CZ');
  assert.equal(letters(await client.untilReady()), 'TDCZ');
  client.send(query('COPY seen TO STDOUT'), query('SELECT 1'));
  assert.equal(letters(await client.untilReady()), 'HddcCZ');
  await client.untilReady();
  client.socket.destroy();
  scene.setRule(reads);
  await withClient(async (one) => {
    assert.match(await refusal(one.query('COPY seen FROM STDIN')), /kind copy-in/);
  });
  scene.setRule();
});

test('what is only recorded is not judged', options, async () => {
  scene.setRule('databases: orders, recordStatements: true');
  await withClient(async (client) => {
    await client.query('CREATE TEMP TABLE mine (n int)');
    assert.match(await refusal(client.query('SELEC 1')), /^42601 syntax error/);
    await client.query(`SELECT '${'x'.repeat(200_000)}'`);
  });
  const database = scene.path.audit.at(-1)?.details?.['database'] as { readonly statements: object };
  assert.deepEqual(
    { ...database.statements, fingerprints: 1 },
    { statements: { create: 1 }, fingerprints: 1, unread: 2 },
  );
  scene.setRule();
});

test(
  'a statement that is too long or cannot be read in time is refused, and others go on',
  options,
  async () => {
    scene.setRule(reads);
    await withClient(async (client) => {
      assert.match(
        await refusal(client.query(`SELECT '${'x'.repeat(200_000)}'`)),
        /databaseStatementBytesMax/,
      );
      assert.match(await refusal(client.query(`SELECT ${'('.repeat(50_000)}`)), /cannot be read/);
      assert.match(await refusal(client.query(`SELECT 1${'+1'.repeat(60_000)}`)), /cannot be read/);
      assert.deepEqual((await client.query('SELECT 1 AS n')).rows, [{ n: 1 }]);
    });
    scene.setRule();
  },
);
