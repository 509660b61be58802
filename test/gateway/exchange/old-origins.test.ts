// Responses as old origins write them, through the request path: what is read of them, what goes to the client, and that nothing is
// taken for a response behind one.

import assert from 'node:assert/strict';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';

import { createTestAuthority } from '../../support/test-authority.ts';
import { rawOrigin } from '../support/raw-origin.ts';
import type { RawOrigin } from '../support/raw-origin.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import type { RawResponse } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';
import type { RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const secret = 'canary-7c1d-old-origin';

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly origin: RawOrigin;
  readonly at: string;
}

async function openScene(respond: (socket: TLSSocket) => void, inject = ''): Promise<Scene> {
  const origin = await rawOrigin(authority, respond);
  const path = openRequestPath({
    policy: `rules: [{ name: old, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8${inject} }]`,
    credentials: { key: { kind: 'bearer', source: { env: 'KEY' }, scrub: { decode: true } } },
    environment: { KEY: secret },
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
  return {
    path,
    origin,
    at: `allowed.test:${origin.port}`,
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
    },
  };
}

async function askOnce(bytes: Buffer | string, inject = ''): Promise<RawResponse> {
  await using scene = await openScene((socket) => socket.end(bytes), inject);
  return await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/'));
}

const chunk = (body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')]);
const inChunks = (coding: string, ...pieces: readonly Buffer[]): Buffer =>
  Buffer.concat([
    Buffer.from(`HTTP/1.1 200 OK\r\nETag: "1"\r\nTransfer-Encoding: ${coding}\r\n\r\n`),
    ...pieces.map(chunk),
    Buffer.from('0\r\n\r\n'),
  ]);
/** The body of a response with chunks, or of one that ends with its connection. */
function bodyOf({ headers, body }: RawResponse): string {
  if (headers.get('transfer-encoding') !== 'chunked') return body;
  let text = '';
  for (let at = 0; ;) {
    const end = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.slice(at, end), 16);
    if (!(size > 0)) return text;
    text += body.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}

test('RFC 9112 §2.2: a head whose lines end without CR is read, and written with it', async () => {
  const response = await askOnce('HTTP/1.1 203 Old\nX-A: one\nContent-Length: 5\n\nhello');
  assert.equal(response.status, 203);
  assert.equal(response.headers.get('x-a'), 'one');
  assert.equal(response.body, 'hello');
  assert.equal(response.head.replaceAll('\r\n', '').includes('\n'), false);
});

test('RFC 9112 §6.3: one length in several lines is one', async () => {
  const response = await askOnce('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello');
  assert.equal(response.status, 200);
  assert.equal(response.head.match(/content-length/gi)?.length, 1);
  assert.equal(response.body, 'hello');
});

const text = 'hello, hello, hello';
const coded: readonly (readonly [string, Buffer])[] = [
  ['gzip, chunked', gzipSync(text)],
  ['x-gzip,chunked', gzipSync(text)],
  ['deflate, chunked', deflateSync(text)],
];

for (const [coding, body] of coded) {
  test(`RFC 9112 §7: "${coding}" is taken off, whole or octet by octet`, async () => {
    for (const pieces of [[body], Array.from(body, (octet) => Buffer.of(octet))]) {
      const response = await askOnce(inChunks(coding, ...pieces));
      assert.equal(response.status, 200);
      assert.equal(bodyOf(response), text);
      assert.equal(response.headers.get('etag'), '"1"');
      assert.doesNotMatch(response.head, /gzip|deflate/);
    }
  });
}

/** Whether a client takes it for a response that is complete. */
async function isWhole({ path, at }: Scene): Promise<boolean> {
  return sendRaw(await path.tls(at), get(at, '/')).then(
    ({ status, body }) => status === 200 && body.endsWith('0\r\n\r\n'),
    () => false,
  );
}

const broken: readonly (readonly [string, Buffer])[] = [
  ['is cut', gzipSync(text).subarray(0, -1)],
  ['has octets behind its end', Buffer.concat([gzipSync(text), Buffer.from('x')])],
  ['is no gzip', Buffer.from(text)],
];

for (const [what, body] of broken) {
  test(`a coding that ${what} is a broken response, not a shorter one`, async () => {
    await using scene = await openScene((socket) => socket.end(inChunks('gzip, chunked', body)));
    assert.equal(await isWhole(scene), false);
    const [event] = await scene.path.events(1);
    assert.deepEqual([event?.verdict, event?.errorCode], ['error', 'origin_malformed']);
  });
}

test('deflate without its frame, which not all readers take, is a broken response', async () => {
  await using scene = await openScene((socket) =>
    socket.end(inChunks('deflate, chunked', deflateRawSync(text))),
  );
  assert.equal(await isWhole(scene), false);
  assert.equal((await scene.path.events(1))[0]?.errorCode, 'origin_malformed');
});

test('a response that is searched has no coding below its chunks, whatever its credential says of decoding', async () => {
  const response = await askOnce(inChunks('gzip, chunked', gzipSync(secret)), ', inject: key');
  assert.equal(response.status, 502);
  assert.match(response.body, /transfer-encoding gzip/);
});

const lenient: readonly (readonly [string, string | Buffer])[] = [
  ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
  ['a bare LF in an interim response', 'HTTP/1.1 103 E\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['a length in two lines', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n'],
  ['a coding', inChunks('gzip, chunked', gzipSync(text))],
];

for (const [what, bytes] of lenient) {
  test(`the connection of a response with ${what} carries no other`, async () => {
    await using scene = await openScene((socket) => socket.write(bytes));
    for (let count = 1; count <= 2; count += 1) {
      const response = await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/'));
      assert.match(`${response.head}\n${response.body}`, /^HTTP\/1\.1 200 /m);
      assert.equal(scene.origin.seen.length, count, 'each request has a connection of its own');
    }
  });
}

test('what LF splits off a field is a field here as it is for every client, and no response', async () => {
  const injected = 'x\nContent-Length: 0\n\nHTTP/1.1 200 OK\r\nX-Injected: 1\r\nContent-Length: 0\r\n\r\n';
  await using scene = await openScene((socket) =>
    socket.write(`HTTP/1.1 302 Found\r\nLocation: /${injected}\r\n\r\n`),
  );
  for (let count = 1; count <= 2; count += 1) {
    const response = await sendRaw(await scene.path.tls(scene.at), get(scene.at, '/'));
    assert.equal(response.status, 302);
    assert.equal(response.headers.has('x-injected'), false);
  }
});
