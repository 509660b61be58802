// Clients that have said all that they had to say, and then go away or are sent away, while their server still talks.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { TLSSocket } from 'node:tls';

import { messageOf, uint32 } from '../../../src/gateway/databases/postgres/message.ts';
import { handleStream } from '../../../src/gateway/tunnels/stream-handler.ts';
import type { EndedConnection } from '../../../src/gateway/databases/protocol-end.ts';
import type { Principal } from '../../../src/policy/decision.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import type { Limits } from '../../../src/protocol/limits.ts';
import { query, RawClient } from '../../protocol-ends/support/raw-client.ts';
import { patienceMs } from '../../support/patience.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openRequestPath, type RequestPath, testPrincipal } from '../support/request-path.ts';

const authority = createTestAuthority();
const options = { timeout: patienceMs };
const notice = messageOf('N', 'SNOTICE\0\0');

/** Takes a log-in, or nothing at all, and talks without an end once it has seen the end of what the client says. */
async function talkingServer(begins: 'postgres' | 'raw') {
  const asked = Promise.withResolvers<string>();
  const closed = Promise.withResolvers<undefined>();
  const server = createServer({ allowHalfOpen: true }, (socket: Socket) => {
    socket.on('error', () => undefined);
    const hear = (stream: Socket, turns: Uint8Array[]): void => {
      let got = '';
      const talk = setInterval(() => {
        if (stream.readableEnded) stream.write(notice);
      }, 5);
      socket.once('close', () => {
        clearInterval(talk);
        closed.resolve(undefined);
      });
      stream.on('data', (chunk: Buffer) => {
        const turn = turns.shift();
        if (turn === undefined) got += chunk.toString('latin1');
        else stream.write(turn);
      });
      stream.on('end', () => {
        asked.resolve(got);
      });
    };
    if (begins === 'raw') hear(socket, []);
    else socket.once('data', () => hear(secured(socket), [sessionBegins]));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: portOf(server), asked: asked.promise, closed: closed.promise };
}

const sessionBegins = Buffer.concat([
  messageOf('R', uint32(0)),
  messageOf('K', uint32(7), uint32(9)),
  messageOf('Z', 'I'),
]);

function secured(socket: Socket): TLSSocket {
  socket.write('S');
  const over = new TLSSocket(socket, { isServer: true, ...authority.issue('db.test') });
  return over.on('error', () => undefined);
}

function portOf(server: Server): number {
  // It listens on an address and a port.
  return (server.address() as AddressInfo).port;
}

function openPath(
  port: number,
  begins: 'postgres' | 'statements' | 'raw',
  limits: Partial<Limits> = {},
): RequestPath {
  const common = `name: db, hosts: db.test, ports: ${port}, addresses: 127.0.0.0/8`;
  const statements = begins === 'statements' ? ', statements: [select]' : '';
  const how =
    begins === 'raw'
      ? 'scheme: tcp'
      : `protocol: postgres, postgres: { databases: a${statements} }, inject: agent`;
  return openRequestPath({
    policy: `rules: [{ ${common}, ${how} }]`,
    hosts: ['db.test'],
    limits,
    trust: [authority.caPem],
    credentials: { agent: { kind: 'login', username: 'agent', source: { env: 'PASSWORD' } } },
    environment: { PASSWORD: 'canary-of-a-role' },
  });
}

/** The stream as a tunnel has it: the end of its session destroys it with the reason. */
function serveStream(path: RequestPath, port: number, principal: Principal = testPrincipal('alice')) {
  const [near, far] = duplexPair();
  for (const one of [near, far]) one.on('error', () => undefined);
  const reset = (error: ProxyError): void => void far.destroy(error);
  const fields = { authority: `db.test:${port}`, mode: 'raw' } as const;
  const stream = {
    duplex: far,
    fields,
    allowsMode: () => true,
    accept: () => undefined,
    refuse: reset,
    reset,
  };
  return { near, far, served: handleStream(stream, principal, path.parts) };
}

for (const [begins, leaves] of [
  ['raw', new ProxyError('session_revoked', 'revoked')],
  ['postgres', new ProxyError('session_revoked', 'revoked')],
  ['postgres', undefined],
] as const) {
  const who = leaves === undefined ? 'a client that goes away' : 'the end of the session';
  test(`${who} behind its own end closes the connection of the server (${begins})`, options, async () => {
    const { server, port, asked, closed } = await talkingServer(begins);
    await using path = openPath(port, begins);
    const { near, far, served } = serveStream(path, port);
    const client = new RawClient(near);
    const last = query('SELECT 1');
    if (begins === 'postgres') {
      client.start();
      await client.untilReady();
    }
    near.end(last);
    assert.equal(await asked, Buffer.from(last).toString('latin1'));
    await client.next();
    far.destroy(leaves);
    await closed;
    await served;
    assert.equal((await path.events(1)).length, 1);
    near.destroy();
    server.close();
  });
}

test(
  'the room for a statement that came in half is given back where its client breaks off',
  options,
  async () => {
    const { server, port, closed } = await talkingServer('postgres');
    await using path = openPath(port, 'statements');
    const { near, far, served } = serveStream(path, port);
    const client = new RawClient(near);
    client.start();
    await client.untilReady();
    near.write(query(`SELECT ${'1'.repeat(10_000)}`).subarray(0, 5000));
    while (path.parts.held.all < 10_000) await new Promise(setImmediate);
    far.destroy(new ProxyError('stream_reset', 'reset'));
    await closed;
    await served;
    assert.equal(path.parts.held.all, 0);
    near.destroy();
    server.close();
  },
);

for (const isSecure of [false, true]) {
  const where = isSecure ? 'before the log-in has ended' : 'before the server has said whether it has TLS';
  test(`a client that goes away ${where} closes the connection of the server`, options, async () => {
    const asked = Promise.withResolvers<undefined>();
    const closed = Promise.withResolvers<undefined>();
    const server = createServer((socket) => {
      socket.on('error', () => undefined).once('close', () => closed.resolve(undefined));
      socket.once('data', () => {
        if (isSecure) secured(socket).once('data', () => asked.resolve(undefined));
        else asked.resolve(undefined);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = portOf(server);
    await using path = openPath(port, 'postgres', { databaseLoginTimeoutMs: patienceMs * 10 });
    const { near, far, served } = serveStream(path, port);
    new RawClient(near).start();
    await asked.promise;
    far.destroy();
    await closed.promise;
    await served;
    near.destroy();
    server.close();
  });
}

test('a client that stays silent for too long is told so in the form of its protocol', options, async () => {
  const { server, port, closed } = await talkingServer('postgres');
  await using path = openPath(port, 'postgres', { blindIdleTimeoutMs: 200, databasePartingMs: patienceMs });
  const { near, served } = serveStream(path, port);
  const client = new RawClient(near);
  client.start();
  assert.equal((await client.untilReady()).at(-1), 'Z I');
  const [farewell = '', ...more] = await client.untilReady();
  assert.match(farewell, /^E SFATAL\0VFATAL\0C57P05\0Mrule db: .*blindIdleTimeoutMs/);
  assert.deepEqual(more, []);
  // The server's connection ends at once, and does not wait for the client to close its own.
  await closed;
  near.destroy();
  await served;
  assert.equal((await path.events(1))[0]?.errorCode, 'timeout');
  server.close();
});

test('a client that was told, and does not close, is cut off', options, async () => {
  const { server, port, closed } = await talkingServer('postgres');
  await using path = openPath(port, 'postgres', { blindIdleTimeoutMs: 200, databasePartingMs: 100 });
  const { near, served } = serveStream(path, port);
  const client = new RawClient(near);
  client.start();
  await client.untilReady();
  assert.match((await client.untilReady()).join(''), /C57P05/);
  await closed;
  await served;
  near.destroy();
  server.close();
});

test('sessions that one made take turns as one with it', options, async () => {
  await using path = openPath(1, 'postgres');
  const owners: string[] = [];
  const serve = ({ ownerId, sessionId }: EndedConnection): Promise<{ readonly kind: 'silent' }> => {
    owners.push(`${ownerId} of ${sessionId}`);
    return Promise.resolve({ kind: 'silent' });
  };
  Object.assign(path.parts.protocolEnds, { serve });
  const alice = testPrincipal('alice');
  for (const principal of [
    alice,
    { ...alice, sessionId: 'child', narrowed: { rootId: alice.sessionId, steps: [] } },
  ]) {
    const { near, served } = serveStream(path, 1, principal);
    await served;
    near.destroy();
  }
  assert.deepEqual(owners, ['session-alice of session-alice', 'session-alice of child']);
});
