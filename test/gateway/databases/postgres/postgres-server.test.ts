// The real thing in short: one server, and what clients and attackers do in front of it. Part of `npm run test:protocol-ends`, for to make a
// server takes longer than all else here; what stands beside this file needs none.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Client } from 'pg';

import { messageOf } from '../../../../src/gateway/databases/postgres/message.ts';
import { tlsRequestPacket } from '../../../../src/gateway/databases/postgres/start-packet.ts';
import {
  connectTo,
  host,
  openScene,
  password,
  type PostgresScene,
  startServer,
} from '../../../protocol-ends/support/postgres-scene.ts';
import { letters, query, RawClient } from '../../../protocol-ends/support/raw-client.ts';
import { patienceMs } from '../../../support/patience.ts';
import { postgresBinaries } from '../../../support/postgres-server.ts';

const binaries = postgresBinaries();
const missing = 'missing' in binaries ? binaries.missing : false;
const isAsked = process.env['TEST_PROTOCOL_ENDS'] !== undefined;
const options = { skip: isAsked ? missing : 'npm run test:protocol-ends runs it', timeout: patienceMs };
const stack = new AsyncDisposableStack();
let started: Awaited<ReturnType<typeof startServer>>;
let scene: PostgresScene;

before(async () => {
  if (options.skip !== false) return;
  started = stack.use(await startServer());
  scene = stack.use(await openScene(started));
});
after(async () => {
  await stack.disposeAsync();
});

async function rawClient(): Promise<RawClient> {
  return new RawClient(await connectTo(scene));
}

test(
  'a client without a password has a session of the role and the database of its rule',
  options,
  async () => {
    const client = new Client({ host: '127.0.0.1', port: scene.port, user: 'nobody', password: 'worthless' });
    await client.connect();
    const { rows } = await client.query(
      'SELECT current_user AS role, current_database() AS name, $1::int AS one',
      [1],
    );
    await client.end();
    assert.deepEqual(rows, [{ role: 'agent', name: 'orders', one: 1 }]);
    const [event] = await scene.path.events(1);
    assert.equal(event?.protocol, 'postgres');
    assert.deepEqual(event.injected, ['agent']);
    assert.deepEqual(event.details?.['database'], {
      name: 'orders',
      user: 'agent',
      authentication: 'scram-sha-256',
      tls: true,
    });
    const all = Buffer.concat(scene.received).toString('latin1') + JSON.stringify(scene.path.audit);
    assert.ok(!all.includes(password));
  },
);

test('TLS in both forms ends in the gateway, with a leaf for the host', options, async () => {
  const direct = await rawClient();
  await direct.secure({ ca: scene.path.caPem, alpn: ['postgresql'] });
  direct.start();
  assert.match(letters(await direct.untilReady()), /^RS+KZ$/);
  direct.socket.destroy();

  const asked = await rawClient();
  asked.send(Buffer.of(0, 0, 0, 8, 4, 0xd2, 0x16, 0x30));
  assert.equal((await asked.take(1)).toString(), 'N', 'GSSAPI');
  asked.send(tlsRequestPacket());
  assert.equal((await asked.take(1)).toString(), 'S');
  const { servername } = await asked.secure({ ca: scene.path.caPem });
  assert.equal(servername, host);
  asked.start();
  assert.match(letters(await asked.untilReady()), /^RS+KZ$/);
  asked.socket.destroy();
});

test(
  'what is wrong before the session is said in the form of the protocol, and nothing is dialled',
  options,
  async () => {
    const dialled = async (): Promise<number> =>
      Number(
        (await scene.server.run("SELECT count(*) FROM pg_stat_activity WHERE usename = 'agent'")).rows[0]
          ?.count,
      );
    const before = await dialled();
    for (const [parameters, said] of [
      [{ user: 'me', database: 'postgres' }, /^E .*C3D000\0.*rule orders-db: the database "postgres"/],
      [{ user: 'me', replication: 'database' }, /C0A000\0/],
      [{ user: 'me', options: '-c role=postgres' }, /C42501\0/],
    ] as const) {
      const client = await rawClient();
      client.start(parameters);
      const [error, ...more] = await client.untilReady();
      assert.match(error ?? '', said);
      assert.deepEqual(more, []);
    }
    for (const bytes of [
      Buffer.of(0, 0, 0, 7, 0, 3, 0, 0),
      Buffer.of(0, 0, 0x40, 0, 0, 3, 0, 0),
      Buffer.of(0, 0, 0, 9, 0, 2, 0, 0, 0),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.concat([tlsRequestPacket(), tlsRequestPacket()]),
    ]) {
      const client = await rawClient();
      client.send(bytes);
      assert.match((await client.untilReady()).join(''), /^E .*C0(?:8P01|A000)\0/, bytes.toString('hex'));
    }
    assert.equal(await dialled(), before);
  },
);

test('our own error stands behind all that the server owes', options, async () => {
  const client = await rawClient();
  client.start();
  // All of it at once, before anything came back.
  client.send(
    query('SELECT 1'),
    query('SELECT nothing'),
    query('SELECT pg_sleep(0.05), 2'),
    messageOf('F', '????'),
    query('SELECT 3'),
  );
  await client.untilReady();
  assert.equal(letters(await client.untilReady()), 'TDCZ');
  assert.equal(letters(await client.untilReady()), 'EZ');
  assert.equal(letters(await client.untilReady()), 'TDCZ');
  const rest = await client.untilReady();
  assert.equal(rest.length, 1);
  assert.match(rest[0] ?? '', /^E SFATAL\0.*C0A000\0Mrule orders-db: calls of functions/);
});

test(
  'a newer client is told which protocol is spoken, and of options that it does not get',
  options,
  async () => {
    const client = await rawClient();
    const packet = Buffer.from('\0\0\0\0\0\x03\0\x02user\0me\0_pq_.fancy\0on\0\0', 'latin1');
    packet.writeUInt32BE(packet.length);
    client.send(packet);
    const [first, ...others] = await client.untilReady();
    assert.equal(first, 'v \0\x03\0\0\0\0\0\x01_pq_.fancy\0');
    assert.match(letters(others), /^RS+KZ$/);
    client.socket.destroy();
  },
);

test('a client cancels what runs in its own session, and in no other', options, async () => {
  const client = new Client({ host: '127.0.0.1', port: scene.port, user: 'me' });
  await client.connect();
  const key = keyOf(scene.received);
  const slept = client.query('SELECT pg_sleep(60)').then(
    () => 'slept',
    (error: unknown) => (error as { readonly code?: string }).code,
  );
  const cancelled = async (principal: string, bytes: Uint8Array): Promise<void> => {
    const socket = scene.open(principal);
    const other = new RawClient(socket);
    other.send(Buffer.of(0, 0, 0, 16, 4, 0xd2, 0x16, 0x2e), bytes);
    assert.equal((await other.take(1)).length, 0, 'nothing is said');
  };
  await runs("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'");
  await cancelled('mallory', key);
  await cancelled('alice/other', key);
  const wrong = Buffer.from(key);
  wrong.writeUInt8(wrong.readUInt8(7) ^ 1, 7);
  await cancelled('alice', wrong);
  const refused = scene.path.audit.filter(({ message }) => message?.includes('would cancel with') === true);
  assert.deepEqual(refused.map(({ principal }) => principal).toSorted(), [
    'issuer|alice',
    'issuer|alice',
    'issuer|mallory',
  ]);
  await cancelled('alice', key);
  assert.equal(await slept, '57014');
  await client.end();
});

test('the end of what allowed a session ends it on both sides', options, async () => {
  const client = await rawClient();
  client.start({ user: 'me', application_name: 'cut-off' });
  await client.untilReady();
  await runs("SELECT 1 FROM pg_stat_activity WHERE application_name = 'cut-off'");
  scene.setRule('databases: [orders, postgres]');
  const [farewell = '', ...more] = await client.untilReady();
  assert.match(farewell, /^E SFATAL\0VFATAL\0C57P01\0Mrule orders-db: /);
  assert.deepEqual(more, []);
  await runs("SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'cut-off')");
  const event = scene.path.audit.at(-1);
  assert.deepEqual([event?.verdict, event?.errorCode], ['deny', 'policy_denied']);
  await runs("SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'cut-off')");
  scene.setRule();
});

/** Waits until the statement gives a row. */
async function runs(sql: string): Promise<void> {
  while ((await scene.server.run(sql)).rows.length === 0);
}

/** Of the last session that began. */
function keyOf(received: readonly Buffer[]): Buffer {
  const all = Buffer.concat(received);
  const at = all.lastIndexOf(Buffer.from('K\0\0\0\x0c', 'latin1'));
  assert.ok(at >= 0);
  return all.subarray(at + 5, at + 13);
}
