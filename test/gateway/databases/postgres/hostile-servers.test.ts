// Servers that lie, in front of a gateway that has a password for them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { TLSSocket } from 'node:tls';

import { messageOf, uint32 } from '../../../../src/gateway/databases/postgres/message.ts';
import { tlsRequestPacket } from '../../../../src/gateway/databases/postgres/start-packet.ts';
import { handleStream } from '../../../../src/gateway/tunnels/stream-handler.ts';
import { ProxyError } from '../../../../src/protocol/error.ts';
import type { Limits } from '../../../../src/protocol/limits.ts';
import { letters, query, RawClient } from '../../../protocol-ends/support/raw-client.ts';
import { patienceMs } from '../../../support/patience.ts';
import { createTestAuthority } from '../../../support/test-authority.ts';
import { openRequestPath, type RequestPathOptions, testPrincipal } from '../../support/request-path.ts';

const authority = createTestAuthority();
const password = 'canary-of-a-role';
const authentication = (code: number, ...parts: readonly (Uint8Array | string)[]): Uint8Array =>
  messageOf('R', uint32(code), ...parts);
const ready = messageOf('Z', 'I');
const setting = (value: string): Uint8Array => messageOf('S', `name\0${value}\0`);

interface Played {
  readonly said: readonly string[];
  /** All that the server got. */
  readonly got: string;
  readonly errorCode: string | undefined;
  readonly limit: string | undefined;
}

interface Play {
  /** Said to the request for TLS; `TLS`: that it begins, and it does. */
  readonly first: string;
  /** Said to what comes next, whatever it is. */
  readonly next?: readonly Uint8Array[];
  readonly rule?: string;
  readonly limits?: Partial<Limits>;
}

function pathTo(port: number, rule: string): RequestPathOptions {
  return {
    policy: `rules: [{ name: db, hosts: db.test, ports: ${port}, addresses: 127.0.0.0/8, protocol: postgres, postgres: { databases: a, ${rule} }, inject: agent }]`,
    hosts: ['db.test'],
    trust: [authority.caPem],
    credentials: { agent: { kind: 'login', username: 'agent', source: { env: 'PASSWORD' } } },
    environment: { PASSWORD: password },
  };
}

const plaintext = 'dangerouslyAllowPlaintext: true';
const revealing = `authentication: [scram-sha-256, md5, cleartext], ${plaintext}`;

async function play({ first, next = [], rule = plaintext, limits = {} }: Play): Promise<Played> {
  let got = '';
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    const hear = (stream: Socket, turns: Buffer[]): void => {
      stream.on('data', (chunk: Buffer) => {
        got += chunk.toString('latin1');
        const turn = turns.shift();
        if (turn !== undefined && turn.length > 0) stream.write(turn);
        if (first === '') stream.end();
      });
    };
    if (first === 'TLS') socket.once('data', () => hear(secured(socket), [Buffer.concat(next)]));
    else hear(socket, [Buffer.from(first, 'latin1'), Buffer.concat(next)]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // It listens on an address and a port.
  const { port } = server.address() as AddressInfo;
  await using path = openRequestPath({ ...pathTo(port, rule), limits });
  const client = new RawClient(path.open({ authority: `db.test:${port}`, mode: 'raw' }).socket);
  client.start();
  const said = await client.untilReady();
  client.socket.end();
  const [event] = said.at(-1)?.startsWith('Z') === true ? [] : await path.events(1);
  client.socket.destroy();
  server.close();
  return { said, got, errorCode: event?.errorCode, limit: event?.limit };
}

function secured(socket: Socket): TLSSocket {
  socket.write('S');
  const over = new TLSSocket(socket, { isServer: true, ...authority.issue('db.test') });
  return over.on('error', () => undefined);
}

const options = { timeout: patienceMs };

test('what a server says to the request for TLS is taken for nothing else', options, async () => {
  for (const [first, errorCode] of [
    // Octets that were not inside of TLS must not be read as if they had been.
    ['S' + Buffer.from(authentication(0)).toString('latin1'), 'origin_unreachable'],
    ['N' + Buffer.from(authentication(0)).toString('latin1'), 'origin_unreachable'],
    ['E', 'origin_unreachable'],
    ['\0', 'origin_unreachable'],
    ['HTTP/1.1 400 Bad Request\r\n\r\n', 'origin_unreachable'],
    ['', 'origin_unreachable'],
  ] as const) {
    const played = await play({ first, rule: revealing });
    assert.equal(played.errorCode, errorCode, JSON.stringify(first));
    assert.match(played.said.join(), /^E SFATAL\0VFATAL\0C08001\0Mrule db: /);
    if (first !== '') assert.match(played.said.join(), /does not respond as a server of PostgreSQL does/);
    assert.equal(played.got.length, 8, 'it got the request for TLS alone');
  }
});

test('without TLS a server gets nothing, and with leave for that no password', options, async () => {
  const refused = await play({ first: 'N', rule: 'authentication: cleartext' });
  assert.deepEqual([refused.errorCode, refused.got.length], ['origin_untrusted', 8]);
  for (const next of [authentication(3), authentication(5, 'salt')]) {
    const asked = await play({ first: 'N', next: [next], rule: revealing });
    assert.equal(asked.errorCode, 'login_refused');
    assert.match(asked.said.join(), /without TLS, which would show the password/);
    assert.ok(!asked.got.includes(password) && !asked.got.includes('md5'));
  }
});

test('without TLS a server that asks for no proof of a password gets no session', options, async () => {
  const { said, errorCode } = await play({ first: 'N', next: [authentication(0), ready] });
  assert.equal(errorCode, 'login_refused');
  assert.match(said.join(), /without SCRAM and without TLS/);
});

test('a server that says too much, or nothing, before a session is left', options, async () => {
  const kib = 'x'.repeat(1024);
  const endless = await play({
    first: 'TLS',
    next: [authentication(0), ...Array.from({ length: 300 }, () => setting(kib)), ready],
  });
  assert.deepEqual([endless.errorCode, endless.limit], ['login_refused', 'databaseLoginBytesMax']);
  const huge = await play({ first: 'TLS', next: [Buffer.of(0x52, 0x7f, 0xff, 0xff, 0xff)] });
  assert.deepEqual([huge.errorCode, huge.limit], ['login_refused', 'databaseLoginBytesMax']);
  const short = await play({ first: 'TLS', next: [Buffer.of(0x52, 0, 0, 0, 3)] });
  assert.equal(short.errorCode, 'origin_unreachable');
  const silent = await play({
    first: 'TLS',
    next: [authentication(0)],
    limits: { databaseLoginTimeoutMs: 50 },
  });
  assert.deepEqual([silent.errorCode, silent.limit], ['timeout', 'databaseLoginTimeoutMs']);
});

test('a server without a key to cancel with has sessions without one', options, async () => {
  const { said, got } = await play({ first: 'TLS', next: [authentication(0), setting('1'), ready] });
  assert.equal(letters(said), 'RSZ');
  assert.match(got, /user\0agent\0database\0a\0\0$/);
});

test('the key of the server is not the one that the client gets', options, async () => {
  const key = 'SERVERKEY'.slice(0, 8);
  const { said } = await play({ first: 'TLS', next: [authentication(0), messageOf('K', key), ready] });
  assert.equal(letters(said), 'RKZ');
  assert.ok(!said.join('').includes(key));
});

test('a server that ends the session at its start is heard to the end', options, async () => {
  const error = messageOf('E', 'SFATAL\0C3D000\0Mdatabase "a" does not exist\0\0');
  const { said } = await play({ first: 'TLS', next: [authentication(0), error] });
  assert.deepEqual(said, ['R \0\0\0\0', `E ${Buffer.from(error).subarray(5).toString('latin1')}`]);
});

test('messages that have no place before a session end it', options, async () => {
  for (const next of [
    [query('SELECT 1')],
    [authentication(0), messageOf('D', 'row')],
    [authentication(0), authentication(0)],
  ]) {
    const { errorCode } = await play({ first: 'TLS', next });
    assert.ok(errorCode === 'origin_unreachable' || errorCode === 'login_refused');
  }
});

test(
  'a client, or a server, that breaks off during the log-in ends its connection and nothing else',
  options,
  async () => {
    for (const who of ['client', 'server'] as const) {
      const asked = Promise.withResolvers<Socket>();
      const server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => {
          socket.write('N');
          socket.once('data', () => {
            asked.resolve(socket);
          });
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      // It listens on an address and a port.
      const { port } = server.address() as AddressInfo;
      await using path = openRequestPath(pathTo(port, plaintext));
      const [near, far] = duplexPair();
      far.on('error', () => undefined);
      const client = new RawClient(near);
      const fields = { authority: `db.test:${port}`, mode: 'raw' } as const;
      const reset = (error: ProxyError): void => void far.destroy(error);
      const stream = {
        duplex: far,
        fields,
        allowsMode: () => true,
        accept: () => undefined,
        refuse: reset,
        reset,
      };
      const served = handleStream(stream, testPrincipal('alice'), path.parts);
      client.send(tlsRequestPacket());
      await client.take(1);
      await client.secure({ ca: path.caPem });
      client.start();
      const socket = await asked.promise;
      if (who === 'client') far.destroy(new ProxyError('stream_reset', 'the tunnel broke'));
      else socket.resetAndDestroy();
      if (who === 'client') socket.destroy();
      await served;
      const [event] = await path.events(1);
      assert.ok(event?.errorCode !== undefined && event.errorCode !== 'internal', who);
      for (const one of [near, far]) one.destroy();
      server.close();
    }
  },
);
