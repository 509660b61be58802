// `tls: auto` on the path of a stream: what passes unopened, and what is opened all the same.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const host = 'allowed.test';

async function openOrigin(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer(authority.issue(host), (_request, response) => response.end('served'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function openPath(port: number, more: string, rules = ''): RequestPath {
  return openRequestPath({
    policy: `rules:\n  - { name: api, hosts: ${host}, ports: ${String(port)}, addresses: 127.0.0.0/8, tls: auto${more} }\n${rules}`,
    hosts: [host],
    trust: [authority.caPem],
  });
}

/** A client that trusts both the origin's authority and the gateway's. */
async function connect(path: RequestPath, port: number, servername: string = host): Promise<TLSSocket> {
  const { socket } = path.open({ authority: `${host}:${String(port)}`, mode: 'raw' });
  const secured = connectTls({
    socket,
    servername,
    ca: [authority.caPem, path.caPem],
    checkServerIdentity: () => undefined,
  });
  await once(secured, 'secureConnect');
  secured.on('error', () => undefined);
  return secured;
}

function issuerOf(socket: TLSSocket): string {
  return socket.getPeerX509Certificate()?.issuer ?? '';
}

async function get(socket: TLSSocket, port: number, method = 'GET'): Promise<number | undefined> {
  const asked = httpsRequest({ createConnection: () => socket, host, port, path: '/', method });
  asked.on('error', () => undefined).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  await text(response);
  return response.statusCode;
}

test('a connection for which nothing has to be looked at passes unopened, with one event and no request', async () => {
  await using origin = await openOrigin();
  await using path = openPath(origin.port, '');
  const socket = await connect(path, origin.port);
  assert.match(issuerOf(socket), /test origins CA/);
  assert.equal(await get(socket, origin.port), 200);
  socket.destroy();
  const [event] = await path.events(1);
  assert.deepEqual(
    [event?.kind, event?.protocol, event?.rule, event?.method],
    ['stream', 'passthrough', 'api', undefined],
  );
});

test('what another rule looks at, a session without a name and a policy that changes open it', async () => {
  await using origin = await openOrigin();
  const deny = `  - { name: no-posts, hosts: ${host}, methods: POST, deny: true }\n`;
  await using path = openPath(origin.port, '', deny);
  for (const [method, status] of [
    ['GET', 200],
    ['POST', 403],
  ] as const) {
    const socket = await connect(path, origin.port);
    assert.doesNotMatch(issuerOf(socket), /test origins CA/);
    assert.equal(await get(socket, origin.port, method), status);
    socket.destroy();
  }
  assert.deepEqual(
    (await path.events(2)).map(({ kind, method }) => [kind, method]),
    [
      ['exchange', 'GET'],
      ['exchange', 'POST'],
    ],
  );
  await using plain = openPath(origin.port, '');
  const unnamed = await connect(plain, origin.port, '');
  assert.doesNotMatch(issuerOf(unnamed), /test origins CA/);
  unnamed.destroy();
  const open = await connect(plain, origin.port);
  assert.equal(await get(open, origin.port), 200);
  const { promise: ended, resolve } = Promise.withResolvers<Error | undefined>();
  open.once('error', resolve).once('close', () => resolve(undefined));
  plain.setPolicy(`rules: [{ name: api, hosts: ${host}, ports: ${String(origin.port)}, methods: GET }]`);
  await ended;
  assert.equal(open.destroyed, true);
});

test('TLS that the agent ended is served: each request of it is decided', async () => {
  await using origin = await openOrigin();
  await using path = openPath(origin.port, '');
  const { socket } = path.open({
    authority: `${host}:${String(origin.port)}`,
    mode: 'http1',
    sni: host,
    alpn: 'http/1.1',
    tlsVersion: 'TLSv1.3',
  });
  socket.write(`GET /a HTTP/1.1\r\nhost: ${host}:${String(origin.port)}\r\nconnection: close\r\n\r\n`);
  assert.match(await text(socket), /^HTTP\/1\.1 200 .*served$/s);
  const [event] = await path.events(1);
  assert.deepEqual([event?.kind, event?.path, event?.rule], ['exchange', '/a', 'api']);
});
