// Positive controls: the same attacks on paths that are built as paths often are, where they get through. By case; those that
// need a proxy of that kind stand beside their cases.

import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { connect, createServer as createTcp, type AddressInfo, type Server as TcpServer } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';

import { UnsecuredJWT } from 'jose';

import { createTestAuthority } from '../support/test-authority.ts';
import { flag, frame, frameType, headerBlock, preface } from './support/h2-frames.ts';
import { naiveProxy, victimOf } from './support/naive-proxy.ts';
import { post } from './support/attack.ts';
import { strangeOrigin } from './support/strange-origin.ts';

async function listening(server: Server | TcpServer | ReturnType<typeof createHttp2>): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // It listens on an address and a port.
  return (server.address() as AddressInfo).port;
}

/** What a connection that says these bytes gets until it ends. */
async function responseTo(port: number, bytes: Buffer | string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(bytes);
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

export const controls: Readonly<Record<string, () => Promise<void>>> = {
  'ADDR-01': async () => {
    // A list of forbidden texts knows 127.0.0.1; the system knows more spellings of it.
    for (const text of ['2130706433', '0x7f.1', '0177.0.0.1', '127.1']) {
      const { address } = await lookup(text);
      assert.equal(address, '127.0.0.1', text);
    }
  },
  'MATCH-01': async () => {
    for (const host of ['evilallowed.test', 'evil-allowed.test']) assert.ok(host.endsWith('allowed.test'));
    for (const host of ['allowed.test.evil.test', 'allowed.test-evil.test'])
      assert.ok(host.startsWith('allowed.test'));
  },
  'MATCH-03': async () => {
    // A rule that became an expression without being quoted.
    const rule = 'api.allowed.test';
    assert.match('apixallowed.test', new RegExp(`^${rule}$`));
  },
  'TLS-10': async () => {
    await using origin = await strangeOrigin();
    // The switch that this project has nowhere.
    const socket = connectTls({ host: '127.0.0.10', port: origin.port, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    socket.end('GET / HTTP/1.1\r\nAuthorization: Bearer secret\r\n\r\n');
    for (let turn = 0; turn < 1_000 && origin.bytes() === 0; turn += 1)
      await new Promise((resolve) => setTimeout(resolve, 1));
    assert.ok(origin.bytes() > 0, 'a stranger got the request');
    socket.destroy();
  },
  'H2-01': async () => {
    // A server that starts work with each head: as many times as the client likes to ask, at the cost of nothing.
    const seen = { started: 0 };
    const server = createHttp2().on('stream', (stream) => {
      seen.started += 1;
      stream.on('error', () => undefined);
    });
    const port = await listening(server);
    const block = headerBlock([
      [':method', 'GET'],
      [':scheme', 'http'],
      [':authority', 'x.test'],
      [':path', '/'],
    ]);
    const resets = Array.from({ length: 500 }, (_, i) =>
      Buffer.concat([
        frame(frameType.headers, flag.endHeaders | flag.endStream, 2 * i + 1, block),
        frame(frameType.rstStream, 0, 2 * i + 1, Buffer.of(0, 0, 0, 8)),
      ]),
    );
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.write(Buffer.concat([preface, frame(frameType.settings, 0, 0), ...resets]));
    for (let turn = 0; turn < 2_000 && seen.started < 500; turn += 1)
      await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(seen.started, 500);
    socket.destroy();
    server.close();
  },
  'METH-02': async () => {
    await using proxy = await naiveProxy('prefix-judged');
    const victim = await victimOf(
      proxy,
      post('allowed.test', '/public/x', ['X-HTTP-Method-Override: DELETE', 'Content-Length: 0'], ''),
    );
    // What frameworks take for the method.
    assert.ok(victim.rawHeaders.includes('DELETE'));
  },
  'CRED-01': async () => {
    // An origin that repeats what it got, behind a proxy that injects and passes the response on.
    const server = createServer((request, response) => response.end(request.headers.authorization));
    const port = await listening(server);
    const text = await responseTo(
      port,
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer injected\r\n\r\n',
    );
    server.close();
    assert.match(text, /Bearer injected/);
  },
  'TEN-03': async () => {
    // A cache that asks for the URL alone, and believes `public`.
    const cache = new Map<string, string>();
    const ask = (principal: string, url: string): string => {
      const response = cache.get(url) ?? `secrets of ${principal}`;
      cache.set(url, response);
      return response;
    };
    ask('alice', '/me');
    assert.equal(ask('bob', '/me'), 'secrets of alice');
  },
  'DOS-05': async () => {
    // The runtime's own server, which bounds an extension and not how many there are.
    let body = 0;
    const server = createServer((request, response) => {
      request.on('data', (chunk: Buffer) => (body += chunk.length)).on('end', () => response.end());
    });
    const port = await listening(server);
    const piece = `1;${'e'.repeat(10_000)}\r\nx\r\n`.repeat(400);
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n';
    const text = await responseTo(port, `${head}${piece}0\r\n\r\n`);
    server.close();
    assert.match(text, /^HTTP\/1\.1 200 /);
    assert.equal(body, 400, '4 MB for 400 bytes were taken');
  },
  'TOK-01': async () => {
    const token = new UnsecuredJWT({ sub: 'anybody' }).setIssuedAt().encode();
    // What a verifier does that lets the token choose how it is verified.
    assert.equal(UnsecuredJWT.decode(token).payload.sub, 'anybody');
  },
  'CA-04': async () => {
    // Appended as it came, a response that begins like a certificate takes the roots behind it with it.
    const { caPem } = createTestAuthority();
    const cut = `${caPem.slice(0, 200)}\n${caPem}`;
    assert.throws(() => createSecureContext({ ca: cut, cert: cut }));
    assert.doesNotThrow(() => createSecureContext({ ca: caPem }));
  },
  'AUD-01': async () => {
    const path = '/x" verdict=deny\n2026-01-01 alice GET "/forged';
    const line = `2026-01-01 mallory GET "${path}" verdict=deny`;
    assert.match(line.split('\n')[1] ?? '', /^2026-01-01 alice GET "\/forged" verdict=deny$/);
  },
  'AGENT-04': async () => {
    // CGI makes variables out of fields, and clients take that one for their proxy.
    const field: readonly [string, string] = ['Proxy', 'http://evil.test'];
    const environment = { [`HTTP_${field[0].toUpperCase()}`]: field[1] };
    assert.equal(environment['HTTP_PROXY'], 'http://evil.test');
  },
  'RESP-02': async () => {
    // A proxy that frames the body anew and ends it when the origin's connection ends: cut, it looks whole.
    const origin = createTcp((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345');
    });
    const originPort = await listening(origin);
    const proxy = createServer((_request, response) => {
      const upstream = connect(originPort, '127.0.0.1');
      let text = '';
      upstream.on('data', (chunk: Buffer) => (text += String(chunk)));
      upstream.on('close', () => response.end(text.split('\r\n\r\n')[1]));
    });
    const response = await responseTo(
      await listening(proxy),
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    origin.close();
    proxy.close();
    assert.match(response, /Content-Length: 5\r\n[\s\S]*12345$/i);
  },
};
