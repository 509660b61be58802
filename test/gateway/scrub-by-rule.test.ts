import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2, createSecureServer } from 'node:http2';
import type {
  ClientHttp2Session,
  Http2SecureServer,
  IncomingHttpHeaders,
  ServerHttp2Stream,
} from 'node:http2';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import type { CredentialConfig } from '../../src/gateway/credentials/credential-kinds.ts';
import { canary, findCanary } from '../support/canary.ts';
import { httpsOrigin } from '../support/origin.ts';
import type { Origin } from '../support/origin.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { get, sendRaw } from './support/raw-http.ts';
import { openRequestPath } from './support/request-path.ts';
import type { RequestPath } from './support/request-path.ts';

const authority = createTestAuthority();
const secret = canary('by-rule');
const bearer: CredentialConfig = { kind: 'bearer', source: { env: 'S' } };

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly at: string;
}

function pathTo(port: number, credential: CredentialConfig, more = ''): RequestPath {
  return openRequestPath({
    policy: `rules: [{ name: a, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8, inject: it${more} }]`,
    hosts: ['allowed.test'],
    trust: [authority.caPem],
    credentials: { it: credential },
    environment: { S: secret },
  });
}

async function openScene(handler: RequestListener, credential = bearer, more = ''): Promise<Scene> {
  const origin: Origin = await httpsOrigin({ authority, handler });
  const path = pathTo(origin.port, credential, more);
  return {
    path,
    at: `allowed.test:${origin.port}`,
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}

test('a placeholder that was stored is not read back as the secret without a placeholder', async () => {
  let stored = '';
  await using scene = await openScene(
    (request, response) => {
      void text(request).then((body) => {
        if (request.method === 'POST') stored = body;
        response.end(`{"comment":${JSON.stringify(stored)}}`);
      });
    },
    {
      kind: 'placeholder',
      source: { env: 'S' },
      placeholder: { env: 'P', value: 'placeholder-of-it', body: true },
    },
  );
  const { path, at } = scene;
  const body = 'placeholder-of-it';
  const post = `POST /comments HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  await sendRaw(await path.tls(at), post);
  assert.equal(stored, secret, 'the origin has it');
  const back = await sendRaw(await path.tls(at), get(at, '/comments'));
  assert.match(back.body, /\{"comment":"\*+"\}/);
  assert.deepEqual(findCanary(`${back.head}${back.body}`, secret), []);
  const [, event] = await path.events(2);
  assert.deepEqual([event?.injected, event?.details?.['scrubbed']], [[], 1]);
});

test('digests of what was there before are left out, of heads and of trailers', async () => {
  await using scene = await openScene((_request, response) => {
    response.writeHead(200, {
      'content-md5': 'x',
      digest: 'x',
      'repr-digest': 'x',
      'content-digest': 'x',
      etag: '"kept"',
      trailer: 'content-digest, x-kept',
    });
    response.addTrailers({ 'content-digest': 'y', 'x-kept': 'y' });
    response.end('body');
  });
  const got = await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/'));
  assert.equal(got.headers.get('etag'), '"kept"');
  assert.doesNotMatch(`${got.head}${got.body}`, /(digest|content-md5): /i);
  assert.match(got.body, /x-kept: y/i);
});

test('a HEAD of what would be decoded tells no length', async () => {
  await using scene = await openScene(
    (_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': '4711' }).end();
    },
    { ...bearer, scrub: { decode: true } },
  );
  const head = get(scene.at, '/').replace('GET', 'HEAD');
  const got = await sendRaw(await scene.path.tls(scene.at), head);
  assert.equal(got.status, 200);
  assert.doesNotMatch(got.head, /4711|content-encoding/i);
});

test('a body that breaks off drops what is held', async () => {
  await using scene = await openScene((_request, response) => {
    response.writeHead(200, { 'content-length': '500' });
    response.write('-'.repeat(100), () => setImmediate(() => response.destroy()));
  });
  const socket = await scene.path.tls(scene.at);
  socket.write(get(scene.at, '/'));
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  const body = Buffer.concat(chunks).toString().split('\r\n\r\n')[1] ?? '';
  assert.ok(body.length <= 100 - 64, `${body.length} octets came`);
});

test('nothing is let go by time, unless the rule asks for it', async () => {
  for (const more of ['', ', scrub: { quietMs: 5 }']) {
    const { promise: asked, resolve: release } = Promise.withResolvers<undefined>();
    await using scene = await openScene(
      (request, response) => {
        if (request.url === '/release') {
          response.end();
          release(undefined);
          return;
        }
        response.writeHead(200, { 'content-type': 'application/octet-stream' });
        response.write('first');
        void asked.then(() => response.end('second'));
      },
      bearer,
      more,
    );
    const { path, at } = scene;
    const socket = await path.tls(at, { alpn: ['h2'] });
    const session = connectHttp2(`https://${at}`, { createConnection: () => socket });
    const stream = session.request({ ':path': '/' });
    const pieces: string[] = [];
    const first = new Promise((resolve) => stream.once('data', resolve));
    stream.on('data', (chunk: Buffer) => pieces.push(chunk.toString()));
    // With the wish the first piece comes by itself; without, only the end lets it go.
    if (more !== '') await first;
    await text(session.request({ ':path': '/release' }));
    await once(stream, 'end');
    session.destroy();
    assert.deepEqual(pieces, more === '' ? ['firstsecond'] : ['first', 'second']);
  }
});

interface GrpcOrigin extends AsyncDisposable {
  readonly port: number;
  readonly asked: IncomingHttpHeaders[];
}

async function grpcOrigin(fields: Record<string, string>, body: Buffer): Promise<GrpcOrigin> {
  const server: Http2SecureServer = createSecureServer(authority.issue('allowed.test'));
  const asked: IncomingHttpHeaders[] = [];
  server.on('stream', (stream, headers) => {
    asked.push(headers);
    stream.on('error', () => undefined);
    // On a server every stream is a server's.
    (stream as ServerHttp2Stream).respond({ ':status': 200, ...fields });
    stream.end(body);
  });
  server.on('sessionError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}

function grpcMessage(flags: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

async function call(session: ClientHttp2Session, fields: Record<string, string>): Promise<Buffer> {
  const stream = session.request({ ':method': 'POST', ':path': '/service/method', ...fields });
  stream.end(grpcMessage(0, Buffer.from('ask')));
  return buffer(stream);
}

const packed = gzipSync(`the secret is ${secret}`);
for (const [what, fields, body] of [
  [
    'names a coding of its messages',
    { 'content-type': 'application/grpc', 'grpc-encoding': 'gzip' },
    grpcMessage(0, packed),
  ],
  [
    'has a message whose flag says that it is compressed',
    { 'content-type': 'application/grpc+proto' },
    grpcMessage(1, packed),
  ],
  [
    'is of Connect and names a coding',
    { 'content-type': 'application/connect+json', 'connect-content-encoding': 'gzip' },
    grpcMessage(0, packed),
  ],
  [
    'is of Connect and has a compressed message',
    { 'content-type': 'application/connect+json' },
    grpcMessage(1, packed),
  ],
  [
    'has a part that is encoded',
    { 'content-type': 'multipart/mixed; boundary=x' },
    Buffer.concat([
      Buffer.from('--x\r\nContent-Encoding: gzip\r\n\r\n'),
      packed,
      Buffer.from('\r\n--x--\r\n'),
    ]),
  ],
] as const)
  test(`a response that ${what} does not pass, and is not asked for`, async () => {
    await using origin = await grpcOrigin(fields, body);
    await using path = pathTo(origin.port, bearer);
    const at = `allowed.test:${origin.port}`;
    const socket = await path.tls(at, { alpn: ['h2'] });
    const session = connectHttp2(`https://${at}`, { createConnection: () => socket });
    const offers = {
      'grpc-accept-encoding': 'gzip',
      'connect-accept-encoding': 'gzip',
      grpc_accept_encoding: 'gzip',
    };
    const got = await call(session, {
      'content-type': fields['content-type'],
      te: 'trailers',
      ...offers,
    }).catch(() => Buffer.alloc(0));
    session.destroy();
    assert.equal(got.includes(packed.subarray(10, 30)), false);
    const [event] = await path.events(1);
    assert.deepEqual([event?.verdict, event?.errorCode], ['error', 'origin_malformed']);
    assert.deepEqual(
      Object.keys(origin.asked[0] ?? {}).filter((name) => /accept.encoding/.test(name)),
      ['accept-encoding'],
    );
  });

test('messages of gRPC that are plain pass one by one, searched', async () => {
  await using origin = await grpcOrigin(
    { 'content-type': 'application/grpc' },
    Buffer.concat([grpcMessage(0, Buffer.from(`<${secret}>`)), grpcMessage(0, Buffer.from('two'))]),
  );
  await using path = pathTo(origin.port, bearer);
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at, { alpn: ['h2'] });
  const session = connectHttp2(`https://${at}`, { createConnection: () => socket });
  const got = await call(session, { 'content-type': 'application/grpc', te: 'trailers' });
  session.destroy();
  assert.deepEqual(
    got,
    Buffer.concat([
      grpcMessage(0, Buffer.from(`<${'*'.repeat(secret.length)}>`)),
      grpcMessage(0, Buffer.from('two')),
    ]),
  );
});
