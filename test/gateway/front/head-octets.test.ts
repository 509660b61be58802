// Octets above 0x7F in a head are nobody's to change: they pass as they came, whatever the two protocols are and whenever the
// body comes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2, createSecureServer } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';

import { patienceMs } from '../../support/patience.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RequestPath } from '../support/request-path.ts';

const timeout = patienceMs;
const authority = createTestAuthority();

/** As a string of octets: UTF-8, Latin-1, and both ends of what is above ASCII. */
const octets = `${Buffer.from('/Ü/日本/😀').toString('latin1')}-\xe9-\x80\xff`;
const latin = 'latin1' as const;

/** When the body comes: with the head, once the client has the head, or never. */
const timings = ['at once', 'later', 'never', 'in the trailers', 'after an interim head'] as const;
type Timing = (typeof timings)[number];

interface Origin extends AsyncDisposable {
  readonly port: number;
  /** The value of X-Octets of the last request. */
  seen(): string | undefined;
  /** Sends the body that is held back. */
  goOn(): void;
}

async function http1Origin(timing: Timing): Promise<Origin> {
  let [seen, goOn] = [undefined as string | undefined, (): void => undefined];
  const sockets = new Set<TLSSocket>();
  const server = createServer(
    { ...authority.issue('allowed.test'), ALPNProtocols: ['http/1.1'] },
    (socket) => {
      sockets.add(socket);
      socket
        .on('error', () => undefined)
        .once('data', (chunk: Buffer) => {
          seen = /^x-octets: (.*)\r$/im.exec(chunk.toString(latin))?.[1];
          const fields = `Location: ${octets}\r\n`;
          const chunked = `HTTP/1.1 200 OK\r\n${fields}Transfer-Encoding: chunked\r\n\r\n`;
          const end = timing === 'in the trailers' ? `0\r\nX-Trailer: ${octets}\r\n\r\n` : '0\r\n\r\n';
          const body = `4\r\nbody\r\n${end}`;
          if (timing === 'never')
            socket.write(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 0\r\n\r\n`, latin);
          else if (timing === 'at once') socket.write(chunked + body, latin);
          else if (timing === 'after an interim head')
            socket.write(`HTTP/1.1 103 Early Hints\r\nLink: ${octets}\r\n\r\n${chunked}${body}`, latin);
          else socket.write(chunked, latin);
          goOn = () => void socket.write(body, latin);
        });
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // It listens on an address and a port.
    port: (server.address() as AddressInfo).port,
    seen: () => seen,
    goOn: () => goOn(),
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function http2Origin(timing: Timing): Promise<Origin> {
  let [seen, goOn] = [undefined as string | undefined, (): void => undefined];
  const server = createSecureServer({ ...authority.issue('allowed.test'), ALPNProtocols: ['h2'] });
  server.on('sessionError', () => undefined);
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => undefined);
    seen = String(headers['x-octets']);
    if (timing === 'after an interim head') stream.additionalHeaders({ ':status': 103, link: octets });
    const waitForTrailers = timing === 'in the trailers';
    stream.respond({ ':status': 200, location: octets }, { endStream: timing === 'never', waitForTrailers });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-trailer': octets }));
    goOn = () => void stream.end('body');
    if (timing === 'at once' || timing === 'after an interim head') goOn();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // It listens on an address and a port.
    port: (server.address() as AddressInfo).port,
    seen: () => seen,
    goOn: () => goOn(),
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

interface Heard {
  readonly location: string | undefined;
  readonly link: string | undefined;
  readonly trailer: string | undefined;
}

async function askOverHttp1(path: RequestPath, { port, goOn }: Origin): Promise<Heard> {
  const at = `allowed.test:${port}`;
  const socket = await path.tls(at);
  const head = `GET / HTTP/1.1\r\nHost: ${at}\r\nX-Octets: ${octets}\r\nTE: trailers\r\nConnection: close\r\n\r\n`;
  socket.write(head, latin);
  let text = '';
  let isHeld = true;
  for await (const chunk of socket) {
    text += (chunk as Buffer).toString(latin);
    if (!isHeld || !/HTTP\/1\.1 200[^]*\r\n\r\n/.test(text)) continue;
    isHeld = false;
    goOn();
  }
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)\r$`, 'im').exec(text)?.[1];
  return { location: field('location'), link: field('link'), trailer: field('x-trailer') };
}

async function askOverHttp2(path: RequestPath, { port, goOn }: Origin): Promise<Heard> {
  const at = `allowed.test:${port}`;
  const socket = await path.tls(at, { alpn: ['h2'] });
  const session = connectHttp2(`https://${at}`, { createConnection: () => socket });
  const heard = { location: undefined, link: undefined, trailer: undefined } as Record<
    keyof Heard,
    string | undefined
  >;
  const stream = session.request({ ':path': '/', 'x-octets': octets, te: 'trailers' });
  stream.on('headers', ({ link }) => (heard.link = String(link)));
  stream.on('trailers', (trailers) => (heard.trailer = String(trailers['x-trailer'])));
  stream.on('response', ({ location }) => {
    heard.location = location;
    goOn();
  });
  stream.resume();
  await once(stream, 'close');
  session.close();
  return heard;
}

for (const [client, ask] of [
  ['HTTP/1.1', askOverHttp1],
  ['HTTP/2', askOverHttp2],
] as const) {
  for (const [protocol, open] of [
    ['HTTP/1.1', http1Origin],
    ['HTTP/2', http2Origin],
  ] as const) {
    for (const timing of timings) {
      const name = `octets above ASCII pass from ${protocol} to ${client} as they came, body ${timing}`;
      test(name, { timeout }, async () => {
        await using origin = await open(timing);
        await using path = openRequestPath({
          policy: `rules: [{ name: all, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }]`,
          hosts: ['allowed.test'],
          trust: [authority.caPem],
        });
        const { location, link, trailer } = await ask(path, origin);
        assert.equal(location, octets);
        assert.equal(link, timing === 'after an interim head' ? octets : undefined);
        assert.equal(trailer, timing === 'in the trailers' ? octets : undefined);
        assert.equal(origin.seen(), octets);
      });
    }
  }
}
