import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:http2';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { createTestAuthority } from '../support/test-authority.ts';
import { httpsOrigin } from '../support/origin.ts';
import { http2Origin } from './support/http2-origin.ts';
import { get, sendRaw } from './support/raw-http.ts';
import { openRequestPath } from './support/request-path.ts';
import type { RequestPath } from './support/request-path.ts';

const authority = createTestAuthority();

function pathTo(port: number): RequestPath {
  return openRequestPath({
    policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8 }\n`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
}

interface RawOrigin extends AsyncDisposable {
  readonly port: number;
  readonly connections: () => number;
  readonly heads: string[];
}

/** Responds to each request head with what `response` says, byte for byte, on a connection that stays open. */
async function rawOrigin(respond: (head: string, socket: TLSSocket) => string): Promise<RawOrigin> {
  let connections = 0;
  const heads: string[] = [];
  const sockets = new Set<TLSSocket>();
  const server = createServer(
    { ...authority.issue('allowed.test'), ALPNProtocols: ['http/1.1'] },
    (socket) => {
      connections += 1;
      sockets.add(socket);
      socket.on('error', () => undefined);
      let pending = '';
      socket.on('data', (chunk: Buffer) => {
        pending += chunk.toString('latin1');
        for (let end = pending.indexOf('\r\n\r\n'); end !== -1; end = pending.indexOf('\r\n\r\n')) {
          const head = pending.slice(0, end);
          pending = pending.slice(end + 4);
          heads.push(head);
          socket.write(respond(head, socket), 'latin1');
        }
      });
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    heads,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

test('principals never share a connection over HTTP/1.1; one principal keeps its own', async () => {
  await using origin = await httpsOrigin({ authority });
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  for (const principal of ['alice', 'alice', 'bob', 'alice', 'bob']) {
    assert.equal((await sendRaw(await path.tls(at, { principal }), get(at, '/hello'))).status, 200);
  }
  assert.equal(origin.connections(), 2);
});

test('principals never share a connection over HTTP/2', async () => {
  await using origin = await http2Origin(authority, false);
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  const ask = async (principal: string): Promise<void> => {
    const socket = await path.tls(at, { alpn: ['h2'], principal });
    const session = connect(`https://${at}`, { createConnection: () => socket });
    assert.equal(await text(session.request({ ':path': '/x' })), '/x');
    session.destroy();
  };
  await ask('alice');
  await ask('alice');
  await ask('bob');
  assert.equal(origin.sessions(), 2);
});

test('a second response behind the first is not given to the next request', async () => {
  const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned';
  await using origin = await rawOrigin((head) =>
    head.startsWith('GET /first')
      ? `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${poison}`
      : 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine',
  );
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  const first = await sendRaw(await path.tls(at), get(at, '/first'));
  assert.equal(first.body.includes('poisoned'), false);
  const second = await sendRaw(await path.tls(at), get(at, '/second'));
  assert.equal(second.body, 'mine');
  assert.equal(origin.connections(), 2);
});

test('the same with a request that had a body', async () => {
  const poison = 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned';
  await using origin = await rawOrigin((head) => {
    if (head.startsWith('POST /first')) return `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok${poison}`;
    return head.startsWith('POST') ? 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine' : '';
  });
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  const post = (target: string): string =>
    `POST ${target} HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
  const first = await sendRaw(await path.tls(at), post('/first'));
  assert.equal(first.body.includes('poisoned'), false);
  assert.equal((await sendRaw(await path.tls(at), post('/second'))).body, 'mine');
});

test('after an early final response the connection, which still has half a body on it, is not used again', async () => {
  await using origin = await rawOrigin((head) =>
    head.startsWith('POST')
      ? 'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno'
      : 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine',
  );
  await using path = pathTo(origin.port);
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at);
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: allowed.test\r\n\r\n';
  socket.write(`POST /upload HTTP/1.1\r\nHost: ${at}\r\nContent-Length: 100000\r\n\r\nstart`);
  const [response] = (await once(socket, 'data')) as [Buffer];
  assert.match(response.toString(), /^HTTP\/1\.1 413/);
  socket.write(smuggled);
  const next = await sendRaw(await path.tls(at), get(at, '/next'));
  assert.equal(next.body, 'mine');
  assert.equal(
    origin.heads.some((head) => head.startsWith('GET /smuggled')),
    false,
  );
  assert.equal(origin.connections(), 2);
  socket.destroy();
});

test('a response with both lengths, or with two, is refused and its connection closed', async () => {
  for (const fields of [
    'Content-Length: 2\r\nTransfer-Encoding: chunked',
    'Content-Length: 2\r\nContent-Length: 3',
  ]) {
    await using origin = await rawOrigin(() => `HTTP/1.1 200 OK\r\n${fields}\r\n\r\nok`);
    await using path = pathTo(origin.port);
    const at = `allowed.test:${origin.port}`;
    const response = await sendRaw(await path.tls(at), get(at, '/'));
    assert.equal(response.status, 502, fields);
  }
});
