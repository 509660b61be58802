import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttps } from 'node:https';
import { connect as connectHttp2 } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';

import { createTestAuthority } from '../support/test-authority.ts';
import { openRequestPath } from './support/request-path.ts';

const authority = createTestAuthority();
const pieceBytes = 1024;
const digits = '0123456789abcdef';

interface BlobStore extends AsyncDisposable {
  readonly port: number;
}

/** Keeps what is PUT and gives it back in pieces of one size. It never sees to whom it speaks, nor says it. */
async function openBlobStore(): Promise<BlobStore> {
  const blobs = new Map<string, Buffer>();
  const server = createHttps(authority.issue('blobs.test'), (request, response) => {
    const name = request.url ?? '';
    void buffer(request).then((body) => {
      if (request.method === 'PUT') {
        blobs.set(name, body);
        response.end();
        return;
      }
      response.setHeader('content-type', 'application/octet-stream');
      sendPieces(response, blobs.get(name) ?? Buffer.alloc(0));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The next piece goes when the last one is gone, some turns later: each is read by itself. */
function sendPieces(response: ServerResponse, blob: Buffer): void {
  if (blob.length === 0) {
    response.end();
    return;
  }
  response.write(blob.subarray(0, pieceBytes), () => {
    void turns(20).then(() => sendPieces(response, blob.subarray(pieceBytes)));
  });
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
}

/** The lengths of the DATA frames in which a blob comes back. */
async function frameLengths(
  session: ClientHttp2Session,
  name: string,
  blob: string,
): Promise<readonly number[]> {
  const put = session.request({ ':method': 'PUT', ':path': name });
  put.end(blob);
  await buffer(put);
  const stream = session.request({ ':path': name });
  const lengths: number[] = [];
  stream.on('data', (chunk: Buffer) => lengths.push(chunk.length));
  await once(stream, 'end');
  assert.equal(
    lengths.reduce((sum, length) => sum + length, 0),
    blob.length,
  );
  return lengths;
}

/** The digit of whose blob less than of all others comes at first, if there is one. */
async function oddOne(session: ClientHttp2Session, known: string): Promise<string | undefined> {
  const tried: { readonly digit: string; readonly first: number }[] = [];
  for (const digit of digits) {
    const text = `${known}${digit}`;
    const blob = `${'-'.repeat(pieceBytes - text.length)}${text}${'-'.repeat(pieceBytes)}`;
    const [first = 0] = await frameLengths(session, `/blob/${text}`, blob);
    tried.push({ digit, first });
  }
  const least = Math.min(...tried.map(({ first }) => first));
  const odd = tried.filter(({ first }) => first === least);
  return odd.length === 1 ? odd[0]?.digit : undefined;
}

/** One digit after the other, each seen twice: a machine under load joins pieces now and then. */
async function readOut(session: ClientHttp2Session, known: string, length: number): Promise<string> {
  let found = known;
  for (let rounds = 0; found.length < length && rounds < 2 * length; rounds += 1) {
    const digit = await oddOne(session, found);
    if (digit !== undefined && digit === (await oddOne(session, found))) found += digit;
    else if (rounds >= 3 && found === known) return found;
  }
  return found;
}

test('a workload does not read a credential out of the lengths in which its own blobs come back', async () => {
  const secret = 'token-4f1b09c7';
  // The last digit is told by the asterisks.
  const almost = secret.slice(0, -1);
  await using store = await openBlobStore();
  const at = `blobs.test:${store.port}`;
  await using path = openRequestPath({
    policy: `rules:\n  - { name: blobs, hosts: blobs.test, ports: ${store.port}, addresses: 127.0.0.0/8, inject: api }\n`,
    hosts: ['blobs.test'],
    trust: [authority.caPem],
    credentials: { api: { kind: 'bearer', source: { env: 'API' } } },
    environment: { API: secret },
  });
  const socket = await path.tls(at, { alpn: ['h2'] });
  const session = connectHttp2(`https://${at}`, { createConnection: () => socket });
  const found = await readOut(session, 'token-', almost.length);
  session.destroy();
  assert.notEqual(found, almost, `${found} was read out`);
});
