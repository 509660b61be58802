// Servers that lie, or say no, in front of a gateway that has a password for them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import type { Limits } from '../../../../src/protocol/limits.ts';
import { patienceMs } from '../../../support/patience.ts';
import { openRequestPath } from '../../support/request-path.ts';

const password = 'canary-of-a-user';
const options = { timeout: patienceMs };

interface Play {
  /** Said to what comes first, and to what comes next. */
  readonly turns: readonly string[];
  readonly sent?: string;
  readonly rule?: string;
  readonly limits?: Partial<Limits>;
}

async function play({
  turns,
  sent = 'PING\r\n',
  rule = 'dangerouslyAllowPlaintext: true',
  limits = {},
}: Play) {
  let got = '';
  const server = createServer((socket: Socket) => {
    const left = [...turns];
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1');
      const turn = left.shift();
      if (turn === 'END') socket.end();
      else if (turn !== undefined && turn !== '') socket.write(Buffer.from(turn, 'latin1'));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // It listens on an address and a port.
  const { port } = server.address() as AddressInfo;
  await using path = openRequestPath({
    policy: `rules: [{ name: cache, hosts: cache.test, ports: ${String(port)}, addresses: 127.0.0.0/8, protocol: redis, redis: { ${rule} }, inject: agent }]`,
    hosts: ['cache.test'],
    trust: [],
    credentials: { agent: { kind: 'login', username: 'agent', source: { env: 'PASSWORD' } } },
    environment: { PASSWORD: password },
    limits,
  });
  const client = path.open({ authority: `cache.test:${String(port)}`, mode: 'raw' }).socket;
  client.write(sent);
  const said = await text(client).catch((error: unknown) => String(error));
  client.destroy();
  const [event] = await path.events(1);
  server.close();
  assert.ok(!said.includes(password) && !JSON.stringify(path.audit).includes(password));
  return { said, got, event };
}

test(
  'nothing of the client goes to a server before that has taken the log-in of the gateway',
  options,
  async () => {
    for (const [turn, errorCode, says] of [
      [
        '-WRONGPASS invalid username-password pair\r\n',
        'login_refused',
        /NOPERM rule cache: .*\(WRONGPASS\)/,
      ],
      ['-DENIED Redis is running in protected mode\r\n', 'login_refused', /\(DENIED\)/],
      ['-NOAUTH\r\n', 'origin_unreachable', /ERR rule cache: /],
      ['HTTP/1.1 400 Bad Request\r\n', 'origin_unreachable', /does not respond as a server of Redis does/],
      // It says more than it was asked.
      ['+OK\r\n+PONG\r\n', 'origin_unreachable', /does not respond/],
      ['+OKAY\r\n', 'origin_unreachable', /does not respond/],
      [`+${'x'.repeat(2000)}`, 'origin_unreachable', /does not respond/],
      ['END', 'origin_unreachable', /closed the connection during the log-in/],
    ] as const) {
      const { said, got, event } = await play({ turns: [turn] });
      assert.equal(event?.errorCode, errorCode, turn);
      assert.match(said, says);
      assert.doesNotMatch(said, /invalid username|protected mode/);
      assert.equal(got, `*3\r\n$4\r\nAUTH\r\n$5\r\nagent\r\n$${String(password.length)}\r\n${password}\r\n`);
    }
    const silent = await play({ turns: [''], limits: { databaseLoginTimeoutMs: 50 } });
    assert.deepEqual([silent.event?.errorCode, silent.event?.limit], ['timeout', 'databaseLoginTimeoutMs']);
  },
);

test('a server without TLS gets nothing where the rule does not say so', options, async () => {
  const { got, event } = await play({ turns: ['-ERR what\r\n'], rule: '' });
  // The first octet of a record of TLS.
  assert.ok(got === '' || got.startsWith('\x16'), got);
  assert.ok(!got.includes('AUTH') && event?.verdict !== 'allow');
});

test(
  'a server that leaves the protocol later ends the connection, and the client is told',
  options,
  async () => {
    const { said, event } = await play({ turns: ['+OK\r\n', ':1\r\nHTTP/1.1 200 OK\r\n:2\r\n'] });
    assert.equal(said, ':1\r\n-ERR rule cache: cache.test does not respond as a server of Redis does\r\n');
    assert.equal(event?.errorCode, 'origin_unreachable');
  },
);

test(
  'a client that says nothing has no server, and one that leaves is recorded as that',
  options,
  async () => {
    const { got, event } = await play({ turns: [], sent: '', limits: { databaseLoginTimeoutMs: 50 } });
    assert.deepEqual([got, event?.errorCode], ['', 'timeout']);
  },
);
