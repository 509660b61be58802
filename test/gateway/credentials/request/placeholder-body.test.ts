import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { test } from 'node:test';

import type { CredentialConfig } from '../../../../src/gateway/credentials/credential-kinds.ts';
import { canary } from '../../../support/canary.ts';
import { openCredentialScene } from '../support/credential-scene.ts';
import type { CredentialScene } from '../support/credential-scene.ts';

const placeholder = 'upstreamproxy-placeholder-it';
const credential: CredentialConfig = {
  kind: 'placeholder',
  source: { env: 'KEY' },
  placeholder: { env: 'API_KEY', body: true },
};
const open = (secret: string): Promise<CredentialScene> =>
  openCredentialScene({ credential, environment: { KEY: secret } });

const post = (scene: CredentialScene, type: string, body: string, ...fields: string[]) =>
  scene.post(
    '/in/a',
    [`Content-Type: ${type}`, `Content-Length: ${Buffer.byteLength(body)}`, ...fields],
    body,
  );

test('short bodies of each kind get the secret and their true length, and it comes back in nothing', async () => {
  const core = canary('body');
  const secret = `${core}"\\&=é`;
  await using scene = await open(secret);
  await post(scene, 'application/json; charset=utf-8', `{"key":"${placeholder}"}`);
  await post(scene, 'application/vnd.api+json', `["${placeholder}"]`);
  await post(scene, 'application/x-www-form-urlencoded', `a=1&key=${placeholder}`);
  await post(scene, 'text/plain', `${placeholder}\n`, 'Expect: 100-continue');
  const expected = [
    JSON.stringify({ key: secret }),
    JSON.stringify([secret]),
    `a=1&key=${encodeURIComponent(secret)}`,
    `${secret}\n`,
  ];
  assert.deepEqual(
    scene.seen.map(({ body }) => body),
    expected,
  );
  for (const { headers, body } of scene.seen)
    assert.equal(headers['content-length'], String(Buffer.byteLength(body)));
  scene.assertKept(core);
  const events = await scene.path.events(4);
  for (const [at, event] of events.entries()) {
    assert.deepEqual(event.injected, ['it']);
    assert.equal(event.requestBytes, Buffer.byteLength(expected[at] ?? ''));
  }
});

test('a long body streams by with the secret in it, in chunks and without digests of what it was', async () => {
  const secret = canary('long');
  await using scene = await open(secret);
  const filler = 'x'.repeat(300_000);
  const body = JSON.stringify({ filler, key: placeholder, more: filler });
  await post(scene, 'application/json', body, 'Content-MD5: AAAA', 'Content-Digest: sha-256=:AAAA:');
  const [seen] = scene.seen;
  assert.equal(seen?.body, JSON.stringify({ filler, key: secret, more: filler }));
  assert.equal(seen.headers['transfer-encoding'], 'chunked');
  assert.equal(seen.headers['content-md5'] ?? seen.headers['content-digest'], undefined);
  scene.assertKept(secret);
});

test('a body of chunks is searched like one of a stated length', async () => {
  const secret = canary('chunked');
  await using scene = await open(secret);
  const half = placeholder.length / 2;
  const pieces = ['{"key":"', placeholder.slice(0, half), placeholder.slice(half), '"}'];
  const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('');
  const fields = ['Content-Type: application/json', 'Transfer-Encoding: chunked'];
  await scene.post('/in/a', fields, `${chunks}0\r\n\r\n`);
  assert.equal(scene.seen[0]?.body, JSON.stringify({ key: secret }));
  scene.assertKept(secret);
});

test('bodies over HTTP/2 are searched too, of a stated length and without one', async () => {
  const secret = canary('http2');
  await using scene = await open(secret);
  const body = JSON.stringify({ key: placeholder, filler: 'x'.repeat(100_000) });
  const type = { 'content-type': 'application/json' };
  await scene.get2('/in/a', type, body);
  await scene.get2('/in/a', { ...type, 'content-length': String(body.length) }, body);
  const short = JSON.stringify({ key: placeholder });
  await scene.get2('/in/a', { ...type, 'content-length': String(short.length) }, short);
  assert.deepEqual(
    scene.seen.map((one) => one.body),
    [body, body, short].map((one) => one.replace(placeholder, secret)),
  );
  scene.assertKept(secret);
});

test('what merely mentions the placeholder, is encoded, or is of another type passes as it came and gets nothing', async () => {
  const secret = canary('none');
  await using scene = await open(secret);
  const json = `{"key":"${placeholder}"}`;
  const rows: readonly (readonly [string, string, ...string[]])[] = [
    ['application/json', `{"note":"say ${placeholder}"}`],
    ['application/octet-stream', json],
    ['multipart/form-data; boundary=x', json],
    ['application/json', json, 'Content-Encoding: gzip'],
    ['application/json', json, 'Content-Encoding: identity', 'Content-Encoding: br'],
  ];
  for (const [type, body, ...fields] of rows) await post(scene, type, body, ...fields);
  assert.deepEqual(
    scene.seen.map(({ body }) => body),
    rows.map(([, body]) => body),
  );
  const events = await scene.path.events(rows.length);
  for (const event of events) assert.deepEqual(event.injected, []);
  // Positive control: the same body, of a type that is searched.
  await post(scene, 'application/json', json);
  scene.assertKept(secret);
});

test('under a rule without the credential the body passes as it came', async () => {
  const secret = canary('elsewhere');
  await using scene = await open(secret);
  const body = `{"key":"${placeholder}"}`;
  const fields = ['Content-Type: application/json', `Content-Length: ${body.length}`];
  await scene.post('/out/a', fields, body);
  assert.equal(scene.seen[0]?.body, body);
});

test('without the word body the placeholder in a body is text like any other', async () => {
  const secret = canary('unasked');
  await using scene = await openCredentialScene({
    credential: { ...credential, placeholder: { env: 'API_KEY' } },
    environment: { KEY: secret },
  });
  const body = `{"key":"${placeholder}"}`;
  await post(scene, 'application/json', body);
  assert.equal(scene.seen[0]?.body, body);
});

test('the handshake of a WebSocket has no body to search, whatever length it states', async () => {
  await using scene = await open(canary('websocket'));
  const socket = await scene.path.tls(scene.at, { alpn: ['h2'] });
  const session = connectHttp2(`https://${scene.at}`, { createConnection: () => socket });
  await once(session, 'remoteSettings');
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/in/a',
    ':scheme': 'https',
    'sec-websocket-version': '13',
    'content-type': 'application/json',
    'content-length': '10',
  });
  // Nothing is sent of the ten bytes: who waits for them waits for ever.
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  session.destroy();
  assert.equal(headers[':status'], 200);
  const [event] = await scene.path.events(1);
  assert.deepEqual(event?.injected, []);
});
