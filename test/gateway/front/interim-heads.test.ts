// RFC 9110 §15.2: a proxy forwards interim responses that it did not ask for itself, those that nobody has named yet too.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';

import { patienceMs } from '../../support/patience.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { rawOrigin } from '../support/raw-origin.ts';
import { serverFrame } from '../support/short-frames.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RequestPath } from '../support/request-path.ts';

const timeout = patienceMs;
const authority = createTestAuthority();
const statuses = [102, 103, 104, 199];

async function openOrigin(): Promise<{ readonly port: number } & AsyncDisposable> {
  const sockets = new Set<TLSSocket>();
  const server = createServer(
    { ...authority.issue('allowed.test'), ALPNProtocols: ['http/1.1'] },
    (socket) => {
      sockets.add(socket);
      socket
        .on('error', () => undefined)
        .once('data', () => {
          socket.write('HTTP/1.1 100 Continue\r\n\r\n');
          for (const status of statuses)
            socket.write(`HTTP/1.1 ${status} Then\r\nX-Number: ${status}\r\n\r\n`);
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        });
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // It listens on an address and a port.
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function askOverHttp1(path: RequestPath, at: string): Promise<readonly string[]> {
  const socket = await path.tls(at);
  socket.write(`GET / HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\n\r\n`);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return [...text.matchAll(/^HTTP\/1\.1 (1\d\d) [^]*?\r\n\r\n/gm)].map(
    ([head, status = '']) => `${status} ${/^x-number: (.*)\r$/im.exec(head)?.[1] ?? ''}`,
  );
}

async function askOverHttp2(path: RequestPath, at: string): Promise<readonly string[]> {
  const socket = await path.tls(at, { alpn: ['h2'] });
  const session = connectHttp2(`https://${at}`, { createConnection: () => socket });
  const heard: string[] = [];
  const stream = session.request({ ':path': '/' });
  stream.on('headers', (fields) => heard.push(`${String(fields[':status'])} ${String(fields['x-number'])}`));
  stream.resume();
  await once(stream, 'close');
  session.close();
  return heard;
}

for (const [client, ask] of [
  ['HTTP/1.1', askOverHttp1],
  ['HTTP/2', askOverHttp2],
] as const) {
  test(`interim responses of every status pass to ${client}, but for 100`, { timeout }, async () => {
    await using origin = await openOrigin();
    await using path = openRequestPath({
      policy: `rules: [{ name: all, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }]`,
      hosts: ['allowed.test'],
      trust: [authority.caPem],
    });
    const heard = await ask(path, `allowed.test:${origin.port}`);
    assert.deepEqual(
      heard,
      statuses.map((status) => `${status} ${status}`),
    );
  });
}

test('interim responses that come with a switch of protocols pass before it', { timeout }, async () => {
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  const hints = [1, 2].map((i) => `HTTP/1.1 103 Early Hints\r\nX-Number: ${i}\r\n\r\n`).join('');
  const switched = `HTTP/1.1 101 Switching Protocols\r\n${upgrade}Sec-WebSocket-Accept: ${accept}\r\n\r\n`;
  // With the first frame of the origin, in one piece.
  await using origin = await rawOrigin(authority, (socket) =>
    socket.write(Buffer.concat([Buffer.from(`${hints}${switched}`), serverFrame('hello')])),
  );
  await using path = openRequestPath({
    policy: `rules: [{ name: all, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }]`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at);
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${at}\r\n${upgrade}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  let text = '';
  for await (const chunk of socket) if ((text += String(chunk)).includes('hello')) break;
  const heard = [...text.matchAll(/^HTTP\/1\.1 (1\d\d) /gm)].map(([, status]) => status);
  assert.deepEqual(heard, ['103', '103', '101']);
  assert.match(text, /101 [^]*\r\n\r\n..hello$/);
});
