import assert from 'node:assert/strict';
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { test } from 'node:test';

import { canary, findCanary } from '../../support/canary.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import type { RawAnswer } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const secret = canary('encoded');
const padding = 'some text that is compressed well. '.repeat(20_000);
const codings: Readonly<Record<string, (text: string) => Buffer>> = {
  gzip: (text) => gzipSync(text),
  br: (text) => brotliCompressSync(text),
  zstd: (text) => zstdCompressSync(text),
};

interface Answered {
  readonly answer: RawAnswer;
  readonly acceptEncoding: string | undefined;
}

/** One credentialed request to an origin that answers these bytes with these codings. */
async function ask(decode: boolean, encodings: readonly string[], body: Buffer): Promise<Answered> {
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
  const answer = await sendRaw(await path.tls(at), get(at, '/', 'Accept-Encoding: deflate'));
  assert.deepEqual(findCanary(JSON.stringify(path.audit), secret), []);
  return { answer, acceptEncoding: origin.requests[0]?.headers['accept-encoding'] };
}

for (const [coding, encode] of Object.entries(codings)) {
  test(`an answer in ${coding} is decoded and searched where the credential accepts the cost`, async () => {
    const text = `${padding}<${secret}>${padding}`;
    const { answer, acceptEncoding } = await ask(true, [coding], encode(text));
    assert.equal(acceptEncoding, 'gzip, br, zstd');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.has('content-encoding'), false);
    assert.equal(answer.headers.has('etag'), false);
    assert.ok(answer.body.includes(`<${'*'.repeat(secret.length)}>`));
    assert.deepEqual(findCanary(`${answer.head}${answer.body}`, secret), []);
  });

  test(`an answer in ${coding} does not pass where it does not`, async () => {
    const { answer, acceptEncoding } = await ask(false, [coding], encode(secret));
    assert.equal(acceptEncoding, 'identity');
    assert.equal(answer.status, 502);
    assert.equal(answer.headers.get('x-deny-reason'), 'origin_malformed');
  });

  test(`an answer in ${coding} that breaks off is a broken connection for the client`, async () => {
    const whole = encode(`${padding}${secret}`);
    await assert.rejects(ask(true, [coding], whole.subarray(0, whole.length - 8)));
  });
}

test('two codings on top of each other do not pass, in one field or in two', async () => {
  for (const encodings of [['gzip, gzip'], ['identity', 'gzip'], ['gzip', 'gzip']]) {
    const { answer } = await ask(true, encodings, gzipSync(gzipSync(secret)));
    assert.equal(answer.status, 502, encodings.join(' and '));
  }
});
