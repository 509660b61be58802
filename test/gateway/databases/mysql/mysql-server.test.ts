// A session between a client and a server that does as a test says, without a server of MySQL.

import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';

import { capability } from '../../../../src/gateway/databases/mysql/capabilities.ts';
import {
  type Greeting,
  greetingPacket,
  readGreeting,
} from '../../../../src/gateway/databases/mysql/greeting.ts';
import {
  readHandshakeResponse,
  responsePacket,
  tlsRequestPacket,
} from '../../../../src/gateway/databases/mysql/handshake-response.ts';
import { MysqlServer } from '../../../../src/gateway/databases/mysql/mysql-server.ts';
import {
  errorPacket,
  littleEndian,
  type MysqlRefusal,
  okPacket,
  packetHeadBytes,
  packetOf,
  payloadBytesMax,
  readError,
  readHead,
} from '../../../../src/gateway/databases/mysql/packet.ts';
import type { EndedConnection, EndFacts } from '../../../../src/gateway/databases/protocol-end.ts';
import { pipeBoth } from '../../../../src/gateway/forward/pipe-both.ts';
import { type MysqlEnd, mysqlLoginMethods } from '../../../../src/policy/mysql-end.ts';
import { defaultLimits, type Limits } from '../../../../src/protocol/limits.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import { patienceMs } from '../../../support/patience.ts';
import { signalResponse } from './support/signal-response.ts';

const options = { timeout: patienceMs };
const unused = (): never => {
  throw new Error('not asked for here');
};
const password = 'canary-of-a-user';

/** One side of a conversation: packets, one after the other. */
class Side {
  readonly stream: Duplex;
  #bytes = Buffer.alloc(0);
  #isOver = false;
  #wake: (() => void) | undefined;

  constructor(stream: Duplex) {
    this.stream = stream;
    const over = (): void => {
      this.#isOver = true;
      this.#wake?.();
    };
    stream.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake?.();
    });
    stream.on('end', over).on('close', over).on('error', over);
  }

  /** Undefined: it ended. */
  async next(): Promise<{ readonly payload: Buffer; readonly sequence: number } | undefined> {
    for (;;) {
      if (this.#bytes.length >= packetHeadBytes) {
        const { length, sequence } = readHead(this.#bytes, 0);
        if (this.#bytes.length >= packetHeadBytes + length) {
          const payload = this.#bytes.subarray(packetHeadBytes, packetHeadBytes + length);
          this.#bytes = this.#bytes.subarray(packetHeadBytes + length);
          return { payload, sequence };
        }
      }
      if (this.#isOver) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async payload(): Promise<Buffer> {
    return (await this.next())?.payload ?? Buffer.alloc(0);
  }

  send(...packets: readonly Uint8Array[]): void {
    this.stream.write(Buffer.concat(packets));
  }
}

const nonce = Buffer.from('abcdefghijklmnopqrst');
const greetingOfServer: Greeting = {
  version: '8.4.1',
  threadId: 77,
  nonce,
  capabilities: { basic: (0xffff_ffff - capability.tls) >>> 0, mariadb: 0 },
  characterSet: 45,
  status: 2,
  method: 'mysql_native_password',
};

type ServerPart = (server: Side, number: number) => Promise<void> | void;

/** A gateway of one rule, and what its connections are served with. */
function gateway(part: ServerPart, end: Partial<MysqlEnd> = {}, limits: Limits = defaultLimits) {
  const server = new MysqlServer((count) => new Uint8Array(count).fill(1));
  let dials = 0;
  const facts: EndFacts[] = [];
  const rejected: true[] = [];
  const open = (sessionId = 'one') => {
    const [near, far] = duplexPair();
    for (const side of [near, far]) side.on('error', () => undefined);
    const connection: EndedConnection<MysqlEnd> = {
      client: near,
      end: {
        protocol: 'mysql',
        databases: ['orders'],
        authentication: mysqlLoginMethods,
        allowsPlaintext: true,
        ...end,
      },
      host: 'db.test',
      port: 3306,
      rule: 'db',
      sessionId,
      ownerId: sessionId,
      limits,
      startDeadline: () => ({ clear: () => undefined }),
      terminate: unused,
      login: () =>
        Promise.resolve({
          username: 'agent',
          password: new Secret(password),
          placeholder: 'x',
          onRejected: () => void rejected.push(true),
        }),
      key: unused,
      hold: unused,
      dial: async ({ startTls }) => {
        const [ours, theirs] = duplexPair();
        for (const side of [ours, theirs]) side.on('error', () => undefined);
        dials += 1;
        void part(new Side(theirs), dials);
        assert.ok(startTls !== 'never');
        // Of a socket nothing but the stream is used before TLS.
        assert.equal(await startTls(ours as unknown as Parameters<typeof startTls>[0]), false);
        // Of a dial nothing else is looked at.
        return { socket: ours, address: '10.0.0.7' } as unknown as Awaited<
          ReturnType<EndedConnection['dial']>
        >;
      },
      noted: (one) => void facts.push(one),
      notedSsh: unused,
      record: unused,
      gitSeen: unused,
      relay: async (one, other, { throughClient, throughServer }) => {
        await pipeBoth(one, other, { throughFirst: [throughClient], throughSecond: [throughServer] });
      },
    };
    // A client ends when its server has.
    far.on('end', () => far.end());
    return { client: new Side(far), near, outcome: server.serve(connection) };
  };
  return { open, facts, rejected, dials: () => dials };
}

/** As servers take a log-in: with what MariaDB says beside it, which shows that it knows the password. */
const proving = packetOf(2, Buffer.from([0, 0, 0, 2, 0, 0, 0]), 'canary-of-a-proof');

/** As to a query that it cannot read, unless that is SIGNAL. */
function errorTo(payload: Buffer): MysqlRefusal {
  const statement = payload.subarray(1).toString('latin1');
  return signalResponse(statement) ?? { code: 1064, sqlState: '42000', message: `near '${statement}'` };
}

/** Takes every log-in, and says an error of the text to each query. */
const willing: ServerPart = async (server) => {
  server.send(greetingPacket(greetingOfServer));
  await server.next();
  server.send(proving);
  for (;;) {
    const asked = await server.next();
    if (asked === undefined || asked.payload[0] === 1) break;
    server.send(errorPacket(1, errorTo(asked.payload)));
  }
  server.stream.end();
};

const hello = (more: Partial<Parameters<typeof responsePacket>[1]> = {}): Uint8Array =>
  responsePacket(1, {
    capabilities: {
      basic:
        (0x000a_a285 |
          capability.protocol41 |
          capability.pluginAuth |
          (more.database === undefined ? 0 : capability.withDatabase)) >>>
        0,
      mariadb: 0,
    },
    packetBytesMax: 2 ** 24,
    characterSet: 45,
    user: 'root',
    proof: Buffer.alloc(0),
    database: undefined,
    method: 'mysql_native_password',
    ...more,
  });
const query = (sql: string): Uint8Array => packetOf(0, '\u0003', sql);
const isOk = (
  packet: { readonly payload: Buffer; readonly sequence: number } | undefined,
  sequence: number,
): void => {
  assert.deepEqual([packet?.payload[0], packet?.sequence], [0, sequence]);
};

test(
  'a client is greeted as by its server, begins as the user of the rule, and what is refused comes in its place',
  options,
  async () => {
    const users: unknown[] = [];
    const { open, facts, dials } = gateway(async (server, number) => {
      const { stream } = server;
      server.send(greetingPacket({ ...greetingOfServer, threadId: 70 + number }));
      const response = readHandshakeResponse(await server.payload());
      if (response.kind === 'response') users.push([response.user, response.database]);
      server.send(proving);
      for (;;) {
        const asked = await server.next();
        if (asked === undefined || asked.payload[0] === 1) break;
        server.send(errorPacket(1, errorTo(asked.payload)));
      }
      stream.end();
    });
    const first = open();
    const greeting = readGreeting(await first.client.payload());
    assert.equal(greeting?.version, '8.4.1');
    assert.notDeepEqual(greeting?.nonce, nonce);
    first.client.send(hello({ proof: Buffer.from('worthless') }));
    const taken = await first.client.next();
    isOk(taken, 2);
    // Nothing of what a server proves by goes to who could try passwords on it.
    assert.equal(taken?.payload.length, 7);
    // At once, and the second is none that goes on.
    first.client.send(
      query('a'),
      packetOf(0, Uint8Array.of(0x11), 'root'),
      query(`KILL QUERY ${String(greeting?.threadId)}`),
      query('KILL 5'),
    );
    const said: string[] = [];
    for (let at = 0; at < 4; at += 1) said.push(readError(await first.client.payload(), 500).message);
    assert.deepEqual(said, [
      "near 'a'",
      'rule db: the command change_user is not passed on',
      // The number of the server.
      "near 'KILL QUERY 72'",
      'rule db: no connection of this session to this server has the number that KILL names',
    ]);
    // Another session has another number, and knows of no other.
    const second = open('two');
    const other = readGreeting(await second.client.payload());
    second.client.send(hello({ database: 'orders' }));
    isOk(await second.client.next(), 2);
    second.client.send(query('KILL 72'));
    assert.match(readError(await second.client.payload(), 500).message, /no connection of this session/);
    assert.equal(other?.version, '8.4.1');
    for (const one of [first, second]) one.client.send(packetOf(0, Uint8Array.of(1)));
    assert.deepEqual([(await first.outcome).kind, (await second.outcome).kind], ['served', 'served']);
    assert.equal(dials(), 3, 'one of them to know the server');
    assert.deepEqual(users, [
      ['agent', undefined],
      ['agent', 'orders'],
      ['agent', 'orders'],
    ]);
    assert.deepEqual(
      facts.find(({ commands }) => commands !== undefined),
      {
        commands: { query: 1, kill: 1, quit: 1 },
        refusedCommands: { change_user: 1, kill: 1 },
      },
    );
  },
);

test('a client that logs in by another method is led to one that it can end', options, async () => {
  const { open } = gateway(willing);
  for (const [method, asked, proof, sequence] of [
    ['caching_sha2_password', 'caching_sha2_password', 'x'.repeat(32), 5],
    ['caching_sha2_password', 'caching_sha2_password', '\0', 4],
    ['client_ed25519', 'mysql_native_password', '', 4],
    ['dialog', 'mysql_native_password', 'x'.repeat(20), 4],
  ] as const) {
    const { client, outcome } = open();
    await client.next();
    client.send(hello({ method }));
    assert.equal((await client.payload()).subarray(1, 1 + asked.length).toString(), asked);
    client.send(packetOf(3, proof));
    if (sequence === 5) assert.deepEqual([...(await client.payload())], [1, 3]);
    isOk(await client.next(), sequence);
    client.send(packetOf(0, Uint8Array.of(1)));
    assert.equal((await outcome).kind, 'served');
  }
});

test(
  'a server that says no is named to the client, and what it says of its users is not',
  options,
  async () => {
    const denied = errorPacket(2, {
      code: 1045,
      sqlState: '28000',
      message: "Access denied for user 'agent'@'10.9.8.7'",
    });
    const { open, rejected } = gateway(async (server, number) => {
      if (number === 1) return willing(server, number);
      server.send(greetingPacket(greetingOfServer));
      await server.next();
      server.send(denied);
      return undefined;
    });
    const { client, outcome } = open();
    await client.next();
    client.send(hello());
    const refusal = readError(await client.payload(), 500);
    assert.deepEqual(refusal, {
      code: 1045,
      sqlState: '28000',
      message: 'rule db: db.test does not take the log-in of the gateway (error 1045)',
    });
    const said = await outcome;
    assert.equal(said.kind === 'refused' ? said.error.code : said.kind, 'login_refused');
    assert.equal(rejected.length, 1);
  },
);

test(
  'servers that are none, and those that cannot be told apart, get nothing of the password',
  options,
  async () => {
    const full = Uint8Array.of(1, 4);
    const got: Buffer[] = [];
    const after = (...packets: readonly Uint8Array[]): ServerPart => {
      return async (server) => {
        server.send(greetingPacket(greetingOfServer));
        server.stream.on('data', (chunk: Buffer) => got.push(chunk));
        await server.next();
        server.send(...packets);
      };
    };
    for (const [part, end, code, message] of [
      [
        (server: Side) => server.stream.end('HTTP/1.1 400 Bad Request\r\n\r\n'),
        {},
        'origin_unreachable',
        /as a server of MySQL/,
      ],
      [(server: Side) => server.stream.end(), {}, 'origin_unreachable', /closed the connection/],
      [(server: Side) => server.send(packetOf(1, 'x')), {}, 'origin_unreachable', /as a server of MySQL/],
      [
        (server: Side) => server.send(greetingPacket(greetingOfServer), okPacket(2, 2)),
        {},
        'origin_unreachable',
        /as a server of MySQL/,
      ],
      [
        (server: Side) =>
          server.send(errorPacket(0, { code: 1040, sqlState: '', message: 'Too many' }, false)),
        {},
        'login_refused',
        /error 1040/,
      ],
      [
        (server: Side) =>
          server.send(greetingPacket({ ...greetingOfServer, capabilities: { basic: 1, mariadb: 0 } })),
        {},
        'origin_unreachable',
        /older than/,
      ],
      [willing, { allowsPlaintext: false }, 'origin_untrusted', /has no TLS/],
      [
        after(packetOf(2, full)),
        { authentication: ['caching_sha2_password'] },
        'login_refused',
        /over verified TLS alone/,
      ],
      [
        after(packetOf(2, Uint8Array.of(0xfe), 'mysql_clear_password\0')),
        {},
        'login_refused',
        /not spoken here/,
      ],
      [after(packetOf(3, Uint8Array.of(0))), {}, 'origin_unreachable', /as a server of MySQL/],
      [after(okPacket(2, 2), okPacket(1, 2)), {}, 'origin_unreachable', /as a server of MySQL/],
    ] as const) {
      const { open } = gateway(part as ServerPart, end);
      const { client, outcome } = open();
      // Nothing was agreed on yet, so that the error has no state.
      const told = (await client.payload()).toString('latin1');
      assert.equal(told.charCodeAt(0), 0xff);
      assert.ok(told.slice(3).startsWith('rule db: '), told);
      assert.match(told, message);
      const said = await outcome;
      assert.equal(said.kind === 'refused' ? said.error.code : said.kind, code);
    }
    assert.ok(!Buffer.concat(got).includes(password));
  },
);

test(
  'what a client begins with is refused in words, and its server hears nothing of it',
  options,
  async () => {
    const { open, dials } = gateway(willing);
    for (const [packet, message] of [
      [hello({ database: 'other' }), /#42000rule db: it does not name the database other/],
      [packetOf(1, Buffer.alloc(40)), /does not speak protocol 4\.1/],
      [packetOf(1, hello().subarray(packetHeadBytes, 38)), /ends in the middle/],
      [packetOf(2, 'x'), /not a packet as it has to be/],
      [Uint8Array.of(0xff, 0xff, 0x0f, 1), /says too much/],
    ] as const) {
      const { client, outcome } = open();
      await client.next();
      client.send(packet);
      assert.match((await client.payload()).toString('latin1'), message);
      assert.equal((await outcome).kind, 'refused');
    }
    const { client, outcome } = open();
    await client.next();
    client.stream.end();
    assert.equal((await outcome).kind, 'silent');
    assert.equal(dials(), 1, 'only to know the server');
  },
);

test('a request for TLS ends in TLS, whatever came behind it', options, async () => {
  const { open } = gateway(willing);
  const { client, outcome } = open();
  await client.next();
  const common = {
    capabilities: { basic: (capability.tls | capability.protocol41) >>> 0, mariadb: 0 },
    packetBytesMax: 1,
    characterSet: 1,
  };
  client.send(tlsRequestPacket(1, common), hello());
  // The test has none to end it with.
  await assert.rejects(outcome, /not asked for here/);
});

test('a refused command of two packets has the third as its response', options, async () => {
  const { open } = gateway(willing);
  const { client, outcome } = open();
  await client.next();
  client.send(hello());
  isOk(await client.next(), 2);
  const first = Buffer.alloc(packetHeadBytes + payloadBytesMax, ' ');
  first.set([...littleEndian(payloadBytesMax, 3), 0, ...Buffer.from('\u0003KILL')]);
  client.send(first, packetOf(1, '7'), query('next'));
  const told = await client.next();
  assert.match(readError(told?.payload ?? Buffer.of(), 500).message, /KILL is passed on as KILL/);
  assert.equal(told?.sequence, 2);
  const next = await client.next();
  assert.deepEqual(
    [readError(next?.payload ?? Buffer.of(), 500).message, next?.sequence],
    ["near 'next'", 1],
  );
  client.send(packetOf(0, Uint8Array.of(1)));
  assert.equal((await outcome).kind, 'served');
});

test('a client that sends what is no command is told so behind what the server owes', options, async () => {
  const { open } = gateway(willing);
  const { client, outcome } = open();
  await client.next();
  client.send(hello());
  isOk(await client.next(), 2);
  client.send(query('first'), packetOf(3, 'a file'), query('never'));
  assert.equal(readError(await client.payload(), 500).message, "near 'first'");
  const told = await client.next();
  assert.match(readError(told?.payload ?? Buffer.of(), 500).message, /rule db: what came is not a packet/);
  assert.equal(told?.sequence, 4);
  assert.equal(await client.next(), undefined);
  client.stream.end();
  const said = await outcome;
  assert.equal(said.kind === 'refused' ? said.error.code : said.kind, 'protocol_denied');
});

test(
  'a server that can do less than its client was told is not gone on with, and the next client is told so',
  options,
  async () => {
    const { open, dials } = gateway(async (server, number) => {
      const basic =
        number === 1
          ? greetingOfServer.capabilities.basic
          : greetingOfServer.capabilities.basic - capability.multiStatements;
      server.send(greetingPacket({ ...greetingOfServer, capabilities: { basic, mariadb: 0 } }));
      await server.next();
      server.send(okPacket(2, 2));
    });
    const wanting = {
      capabilities: {
        basic: (0x000a_a285 | capability.multiStatements | capability.protocol41) >>> 0,
        mariadb: 0,
      },
    };
    const { client, outcome } = open();
    await client.next();
    client.send(hello(wanting));
    assert.match((await client.payload()).toString('latin1'), /connect again/);
    assert.equal((await outcome).kind, 'refused');
    const again = open();
    const greeting = readGreeting(await again.client.payload());
    assert.equal((greeting?.capabilities.basic ?? 0) & capability.multiStatements, 0);
    again.client.stream.end();
    await again.outcome;
    assert.equal(dials(), 3);
  },
);

test(
  'log-ins whose clients have left are whole, and so many of them are under way at once',
  options,
  async () => {
    const held = Promise.withResolvers<undefined>();
    const quits: string[] = [];
    const { open } = gateway(
      async (server, number) => {
        server.send(greetingPacket(greetingOfServer));
        await server.next();
        if (number > 1) await held.promise;
        server.send(okPacket(2, 2));
        quits.push((await server.payload()).toString('hex'));
        server.stream.end();
      },
      {},
      { ...defaultLimits, databaseLoginsPerSessionMax: 2 },
    );
    // The first learns what the server is, so that the others are greeted.
    const left: ReturnType<typeof open>[] = [];
    for (let at = 0; at < 2; at += 1) {
      const one = open();
      await one.client.next();
      one.client.send(hello());
      left.push(one);
    }
    const third = open();
    await third.client.next();
    third.client.send(hello());
    assert.match(
      readError(await third.client.payload(), 500).message,
      /2 log-ins of the session are under way/,
    );
    for (const { near } of left) near.destroy();
    held.resolve(undefined);
    for (const { outcome } of left) assert.equal((await outcome).kind, 'silent');
    const another = open();
    await another.client.next();
    another.client.send(hello());
    isOk(await another.client.next(), 2);
    another.client.send(packetOf(0, Uint8Array.of(1)));
    assert.equal((await another.outcome).kind, 'served');
    assert.deepEqual(quits, ['01', '01', '01', '01']);
  },
);
