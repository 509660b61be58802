// The console's files: a fixed table of paths with strict fields, and a plain word where they were not built.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { loadConsole } from '../../../src/gateway/admin/console-assets.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { openAdminScene, type AdminScene } from './admin-fixture.ts';

const listen = { address: '127.0.0.1', port: 0, names: [] };
const page = '<!doctype html><title>upstreamproxy</title>';
let directory: TemporaryDirectory;
let scene: AdminScene;

before(async () => {
  directory = await temporaryDirectory();
  const built = join(directory.path, 'built');
  await mkdir(join(built, 'assets', 'folder'), { recursive: true });
  await writeFile(join(built, 'index.html'), page);
  await writeFile(join(built, 'assets', 'index-AbCd1234.js'), 'run();'.repeat(100));
  await writeFile(join(built, 'assets', 'notes.txt'), 'not of a kind that is served');
  await writeFile(join(directory.path, 'secret.js'), 'SECRET');
  await symlink(join(directory.path, 'secret.js'), join(built, 'assets', 'linked.js'));
  scene = await openAdminScene(new Map(), listen, built);
});
after(async () => {
  await scene?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

async function get(
  path: string,
  headers: http.OutgoingHttpHeaders = {},
  method = 'GET',
): Promise<IncomingMessage> {
  const asked = http.request({ port: scene.port, host: '127.0.0.1', path, headers, method, agent: false });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return response;
}

test('every page of the console is its one document, which may load nothing from elsewhere and stand in no frame', async () => {
  for (const path of [
    '/',
    '/live?q=verdict:deny',
    '/access',
    '/sessions/a%2Fb',
    '/exchange/0af7',
    '/policy',
    '/overview',
  ]) {
    const response = await get(path);
    assert.equal(response.statusCode, 200, path);
    assert.equal(await text(response), page);
    const policy = String(response.headers['content-security-policy']);
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; /);
    assert.match(policy, /; frame-ancestors 'none'; /);
    assert.doesNotMatch(policy, /unsafe|data:|https?:|\*/);
    assert.equal(response.headers['cache-control'], 'no-cache');
    assert.equal(response.headers['set-cookie'], undefined);
  }
});

test('an asset is kept for ever, compressed for who takes that, and asked for again costs no body', async () => {
  const response = await get('/assets/index-AbCd1234.js', { 'accept-encoding': 'gzip' });
  assert.equal(response.headers['content-type'], 'text/javascript; charset=utf-8');
  assert.match(String(response.headers['cache-control']), /immutable/);
  assert.equal(response.headers['content-encoding'], 'gzip');
  const body = Buffer.concat(await response.toArray());
  assert.equal(gunzipSync(body).toString(), 'run();'.repeat(100));
  for (const [accepted, encoding] of [
    ['br, gzip;q=0.5', 'gzip'],
    ['gzip;q=0', undefined],
    ['gzip; q=0.0', undefined],
    ['x-gzip-foo', undefined],
    ['', undefined],
  ] as const) {
    const one = await get('/assets/index-AbCd1234.js', { 'accept-encoding': accepted });
    assert.equal(one.headers['content-encoding'], encoding, accepted);
    one.resume();
  }
  const again = await get('/assets/index-AbCd1234.js', { 'if-none-match': String(response.headers.etag) });
  assert.equal(again.statusCode, 304);
  const head = await get('/assets/index-AbCd1234.js', {}, 'HEAD');
  assert.equal(head.headers['content-length'], '600');
  assert.equal(await text(head), '');
});

test('no path leads to another file', async () => {
  const tries = [
    '/assets/../../secret.js',
    '/assets/%2e%2e/%2e%2e/secret.js',
    '/assets/..%2f..%2fsecret.js',
    '/assets//index-AbCd1234.js',
    '/assets/linked.js',
    '/assets/notes.txt',
    '/assets/folder',
    '/assets/',
    '/index.html',
    '/live/more',
    '//live',
    '/__proto__',
    '/assets/index-AbCd1234.js%00',
  ];
  for (const path of tries) {
    const status = await rawStatus(path);
    assert.equal(status, 404, path);
  }
  assert.equal(await rawStatus('/assets/index-AbCd1234.js'), 200);
  // What is no page is the API's, and a page takes no writes.
  assert.equal((await get('/v1/who')).statusCode, 401);
  assert.equal((await get('/live', {}, 'POST')).statusCode, 404);
});

/** As it is written, which a client would tidy up first. */
async function rawStatus(path: string): Promise<number> {
  const socket = connect({ host: '127.0.0.1', port: scene.port });
  socket.end(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${scene.port}\r\nConnection: close\r\n\r\n`);
  return Number(/^HTTP\/1\.1 (\d+)/.exec(await text(socket))?.[1]);
}

test('the pages are for the names of the listener alone, and there are none at the socket', async () => {
  assert.equal((await get('/live', { host: `rebound.test:${scene.port}` })).statusCode, 421);
  assert.equal((await scene.call('GET', '/live')).status, 404);
});

test('only the page of this very port may ask, and only with a token', async () => {
  const authorization = `Bearer ${await scene.token('viewer')}`;
  const own = `http://127.0.0.1:${scene.port}`;
  const ask = async (headers: http.OutgoingHttpHeaders): Promise<number | undefined> =>
    (await get('/v1/who', headers)).statusCode;
  assert.equal(await ask({ authorization, origin: own, 'sec-fetch-site': 'same-origin' }), 200);
  assert.equal(await ask({ authorization, 'sec-fetch-site': 'same-origin' }), 200);
  assert.equal(await ask({ origin: own, 'sec-fetch-site': 'same-origin' }), 401);
  for (const headers of [
    { origin: `http://127.0.0.1:${scene.port + 1}` },
    { origin: `https://127.0.0.1:${scene.port}` },
    { origin: 'null' },
    { origin: 'https://evil.test' },
    { origin: `${own}.evil.test` },
    { origin: own, 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site' },
  ])
    assert.equal(await ask({ authorization, ...headers }), 403, JSON.stringify(headers));
  const atSocket = await scene.call('GET', '/v1/who', {
    token: await scene.token('viewer'),
    headers: { origin: own },
  });
  assert.equal(atSocket.status, 403);
});

test('where the console was not built its pages say so, and the API is served', async () => {
  await using other = await openAdminScene(new Map(), listen, join(directory.path, 'nowhere'));
  const response = await fetch(`http://127.0.0.1:${other.port}/live`);
  assert.equal(response.status, 503);
  assert.match(await response.text(), /npm run build:console/);
  assert.equal((await fetch(`http://127.0.0.1:${other.port}/v1/who`)).status, 401);
});

test('a build that cannot be read is a fault of the start', async () => {
  const half = join(directory.path, 'half');
  await mkdir(join(half, 'index.html'), { recursive: true });
  await assert.rejects(loadConsole(half), { code: 'EISDIR' });
});
