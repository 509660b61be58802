import assert from 'node:assert/strict';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { test } from 'node:test';

import { ResponseDecoder } from '../../../src/gateway/scrub/response-decoder.ts';
import { canary, findCanary } from '../../support/canary.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import type { RawResponse } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const secret = canary('encoded');
const padding = 'some text that is compressed well. '.repeat(20_000);
const codings: Readonly<Record<string, (text: string) => Buffer>> = {
  gzip: (text) => gzipSync(text),
  br: (text) => brotliCompressSync(text),
  zstd: (text) => zstdCompressSync(text),
};

interface Responded {
  readonly response: RawResponse;
  readonly acceptEncoding: string | undefined;
}

/** One credentialed request to an origin that responds to these bytes with these codings. */
async function ask(decode: boolean, encodings: readonly string[], body: Buffer): Promise<Responded> {
  await using origin = await httpsOrigin({
    authority,
    handler: (_request, response) => {
      const fields = encodings.flatMap((encoding) => ['content-encoding', encoding]);
      response.writeHead(200, [...fields, 'content-length', String(body.length), 'etag', '"1"']);
      response.end(body);
    },
  });
  await using path = openRequestPath({
    policy: `
rules:
  - name: in
    hosts: origin.test
    ports: ${origin.port}
    addresses: 127.0.0.0/8
    inject: it
`,
    hosts: ['origin.test'],
    trust: [authority.caPem],
    credentials: { it: { kind: 'bearer', source: { env: 'S' }, scrub: { decode } } },
    environment: { S: secret },
  });
  const at = `origin.test:${origin.port}`;
  const response = await sendRaw(await path.tls(at), get(at, '/', 'Accept-Encoding: deflate'));
  assert.deepEqual(findCanary(JSON.stringify(path.audit), secret), []);
  return { response, acceptEncoding: origin.requests[0]?.headers['accept-encoding'] };
}

for (const [coding, encode] of Object.entries(codings)) {
  test(`a response in ${coding} is decoded and searched where the credential accepts the cost`, async () => {
    const text = `${padding}<${secret}>${padding}`;
    const { response, acceptEncoding } = await ask(true, [coding], encode(text));
    assert.equal(acceptEncoding, 'gzip, br, zstd');
    assert.equal(response.status, 200);
    assert.equal(response.headers.has('content-encoding'), false);
    assert.equal(response.headers.has('etag'), false);
    assert.ok(response.body.includes(`<${'*'.repeat(secret.length)}>`));
    assert.deepEqual(findCanary(`${response.head}${response.body}`, secret), []);
  });

  test(`a response in ${coding} does not pass where it does not`, async () => {
    const { response, acceptEncoding } = await ask(false, [coding], encode(secret));
    assert.equal(acceptEncoding, 'identity');
    assert.equal(response.status, 502);
    assert.equal(response.headers.get('x-deny-reason'), 'origin_malformed');
  });

  test(`a response in ${coding} that breaks off is a broken connection for the client`, async () => {
    const whole = encode(`${padding}${secret}`);
    await assert.rejects(ask(true, [coding], whole.subarray(0, whole.length - 8)));
  });
}

test('two codings on top of each other do not pass, in one field or in two', async () => {
  for (const encodings of [['gzip, gzip'], ['identity', 'gzip'], ['gzip', 'gzip']]) {
    const { response } = await ask(true, encodings, gzipSync(gzipSync(secret)));
    assert.equal(response.status, 502, encodings.join(' and '));
  }
});

for (const [coding, encode] of Object.entries(codings)) {
  for (const [where, pieces] of [
    ['in the same piece', (encoded: Buffer) => [Buffer.concat([encoded, Buffer.alloc(100_000, 'x')])]],
    [
      'in a piece of their own',
      (encoded: Buffer) => [encoded, Buffer.alloc(100_000, 'x'), Buffer.alloc(10, 'x')],
    ],
    ['one octet', (encoded: Buffer) => [Buffer.concat([encoded, Buffer.of(1)])]],
  ] as const) {
    test(`octets behind the end of ${coding}, ${where}, fail at once`, { timeout: 20_000 }, async () => {
      const decoder = new ResponseDecoder({
        coding,
        host: 'origin.test',
        signal: new AbortController().signal,
        take: () => true,
        onDrain: () => assert.fail('nothing was refused'),
      });
      const feed = async (): Promise<void> => {
        for (const piece of pieces(encode(padding))) {
          const { promise, resolve } = Promise.withResolvers<void>();
          if (!decoder.push(piece, resolve)) await promise;
        }
        await decoder.end();
      };
      await assert.rejects(feed(), { code: 'origin_malformed', message: /cannot be decoded/ });
    });
  }
}
