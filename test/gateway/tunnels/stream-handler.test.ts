import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { openRequestPath } from '../support/request-path.ts';
import { patienceMs } from '../../support/patience.ts';

const timeout = patienceMs;

/** The ClientHello of a real client, in one record. */
async function clientHello(servername: string): Promise<Buffer> {
  const [near, far] = duplexPair();
  const client = connectTls({ socket: near, servername });
  client.on('error', () => undefined);
  const [hello] = (await once(far, 'data')) as [Buffer];
  client.destroy();
  return hello;
}

/** The same with an extension encrypted_client_hello at its end. */
function withEch(hello: Buffer): Buffer {
  const body = Buffer.concat([hello, Buffer.of(0xfe, 0x0d, 0, 4, 0, 1, 2, 3)]);
  // Record, handshake, version and random; then session id, cipher suites and compression methods.
  let at = 5 + 4 + 2 + 32;
  at += 1 + body.readUInt8(at);
  at += 2 + body.readUInt16BE(at);
  at += 1 + body.readUInt8(at);
  for (const [offset, length] of [
    [3, 2],
    [6, 3],
    [at, 2],
  ] as const)
    body.writeUIntBE(body.readUIntBE(offset, length) + 8, offset, length);
  return body;
}

test(
  'a rule that passes TLS through refuses a hello that may hide a name only if it says so',
  { timeout },
  async () => {
    const hello = await clientHello('allowed.test');
    for (const [tls, isHidden, passes] of [
      ['auto', false, true],
      ['passthrough', false, true],
      ['passthrough', true, true],
      ['{ passthrough: true }', true, true],
      ['{ passthrough: true, ech: allow }', true, true],
      ['{ passthrough: true, ech: refuse }', false, true],
      ['{ passthrough: true, ech: refuse }', true, false],
      ['{ passthrough, ech: refuse }', true, false],
    ] as const) {
      const received = Promise.withResolvers<Buffer>();
      let connections = 0;
      const origin = createServer((socket) => {
        connections += 1;
        socket.on('error', () => undefined).once('data', (chunk: Buffer) => received.resolve(chunk));
      });
      origin.listen(0, '127.0.0.1');
      await once(origin, 'listening');
      // It listens on an address and a port.
      const { port } = origin.address() as AddressInfo;
      await using path = openRequestPath({
        policy: `rules: [{ name: passed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8, tls: ${tls} }]`,
        hosts: ['allowed.test'],
        trust: [],
      });
      const { socket, ended } = path.open({ authority: `allowed.test:${port}`, mode: 'raw' });
      const sent = isHidden ? withEch(hello) : hello;
      socket.write(sent);
      if (passes) assert.deepEqual(await received.promise, sent, tls);
      else {
        assert.equal((await ended)?.code, 'protocol_denied', tls);
        const [event] = await path.events(1);
        assert.equal(event?.rule, 'passed');
        assert.equal(connections, 0);
      }
      socket.destroy();
      origin.close();
    }
  },
);

test('a hello that may hide a name is opened where the rule passes on what it can', async () => {
  await using path = openRequestPath({
    policy: 'rules: [{ name: passed, hosts: allowed.test, tls: auto }]',
    hosts: ['allowed.test'],
    trust: [],
  });
  const { socket } = path.open({ authority: 'allowed.test:443', mode: 'raw' });
  socket.write(withEch(await clientHello('allowed.test')));
  const [response] = (await once(socket, 'data')) as [Buffer];
  // A record of a handshake: nothing listens at the origin.
  assert.equal(response[0], 0x16);
  socket.destroy();
});

test('raw TCP that no rule allows is refused with the rule that would allow it, in the audit too', async () => {
  for (const [policy, expected] of [
    [
      'rules: [{ name: a, hosts: other.test }]',
      'db.test:5432: the connection is neither TLS nor HTTP/1.1, and no rule allows raw TCP there; this one would: { name: db-test-tcp-5432, hosts: db.test, scheme: tcp, ports: 5432 }',
    ],
    [
      'rules: [{ name: no-databases, hosts: db.test, scheme: tcp, ports: 5432, deny: true }]',
      'db.test:5432: the connection is neither TLS nor HTTP/1.1, and the rule no-databases refuses raw TCP there',
    ],
  ] as const) {
    await using path = openRequestPath({ policy, hosts: [], trust: [] });
    const { socket, ended } = path.open({ authority: 'db.test:5432', mode: 'raw' });
    socket.write(Buffer.from([0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]));
    const error = await ended;
    assert.deepEqual([error?.code, error?.message], ['protocol_denied', expected]);
    const [event] = await path.events(1);
    assert.equal(event?.message, expected);
    socket.destroy();
  }
});

test('a session is told its own refusals on one stream at a time, without an event', async () => {
  const policy = 'rules: [{ name: closed, hosts: closed.test, deny: It is closed. }]';
  await using path = openRequestPath({ policy, hosts: [], trust: [] });
  const ask = (principal: string) => path.open({ authority: '', mode: 'refusals' }, principal);
  const request = path.open({ authority: 'closed.test:80', mode: 'raw' }, 'alice');
  request.socket.end('GET /x?y HTTP/1.1\r\nhost: closed.test\r\n\r\n');
  await text(request.socket);

  const told = ask('alice');
  // It is not read yet, so that what waits for a reader is there once.
  assert.equal((await ask('alice').ended)?.code, 'limit_exceeded');
  assert.deepEqual(JSON.parse(await text(ask('bob').socket)), { refusals: [], others: 0 });
  const { refusals } = JSON.parse(await text(told.socket)) as { refusals: readonly object[] };
  assert.deepEqual(refusals, [
    {
      kind: 'exchange',
      method: 'GET',
      scheme: 'http',
      host: 'closed.test',
      port: 80,
      path: '/x',
      code: 'policy_denied',
      rule: 'closed',
      count: 1,
    },
  ]);
  told.socket.end();
  await told.ended;
  const again = ask('alice');
  assert.match(await text(again.socket), /closed\.test/);
  assert.equal((await path.events(1)).length, 1);
});
