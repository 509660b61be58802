import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import { httpsOrigin, type Origin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { waitUntil } from '../../support/program.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const { http2WindowBytes, http2WideWindowBytes, http2WideUploadsMax, requestBodyAheadBytes } = defaultLimits;
const uploadBytes = http2WindowBytes + requestBodyAheadBytes;
const session = 'session-alice';

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly client: ClientHttp2Session;
  post(path: string, fields?: Readonly<Record<string, string>>): ClientHttp2Stream;
  /** Octets that are counted of the session. */
  held(): number;
}

/** A client of HTTP/2 and an origin that reads `/sink` and leaves `/held` unread. */
async function openScene(limits: Partial<Limits> = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const origin: Origin = stack.use(
    await httpsOrigin({
      authority,
      handler: (request, response) => {
        if (request.url === '/sink') request.resume().once('end', () => response.end('taken'));
      },
    }),
  );
  const path = stack.use(
    openRequestPath({
      policy: `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8, paths: ['/sink', '/held'] }\n`,
      hosts: ['allowed.test'],
      trust: [authority.caPem],
      limits,
    }),
  );
  const at = `allowed.test:${origin.port}`;
  const socket = await path.tls(at, { alpn: ['h2'] });
  const client = connect(`https://${at}`, { createConnection: () => socket });
  client.on('error', () => undefined);
  stack.defer(() => client.destroy());
  await once(client, 'remoteSettings');
  const owned = stack.move();
  return {
    path,
    client,
    post: (to, fields = {}) => {
      const stream = client.request({ ':method': 'POST', ':path': to, ...fields });
      stream.on('error', () => undefined);
      return stream;
    },
    held: () => path.parts.held.ofSession(session),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function statusOf(stream: ClientHttp2Stream): Promise<number> {
  const [head] = (await once(stream, 'response')) as [Readonly<Record<string, unknown>>];
  return Number(head[':status']);
}

test('an upload takes room for its window and for what waits for its origin, a small one for what it declares', async () => {
  await using scene = await openScene();
  const unknown = scene.post('/held');
  unknown.write('x');
  await waitUntil('it is counted', () => scene.held() === uploadBytes);
  const small = scene.post('/held', { 'content-length': '1000' });
  small.write('x');
  await waitUntil('both are counted', () => scene.held() === uploadBytes + 1000);
  unknown.close();
  await waitUntil('one is over', () => scene.held() === 1000);
  small.close();
  await waitUntil('both are over', () => scene.held() === 0);
});

test('without room an upload is refused with 429 and the name of the limit; what has no body, or is denied, needs none', async () => {
  await using scene = await openScene({ heldOctetsPerSessionMax: uploadBytes });
  const first = scene.post('/held');
  first.write('x');
  await waitUntil('it is counted', () => scene.held() === uploadBytes);
  const second = scene.post('/held');
  second.write('x');
  assert.equal(await statusOf(second), 429);
  assert.match(await text(second), /heldOctetsPerSessionMax/);
  const denied = scene.post('/denied');
  denied.write('x');
  assert.equal(await statusOf(denied), 403);
  const without = scene.post('/sink', { 'content-length': '0' });
  without.end();
  assert.equal(await statusOf(without), 200);
  first.close();
  await waitUntil('the first is over', () => scene.held() === 0);
  const third = scene.post('/sink');
  third.end('x');
  assert.equal(await statusOf(third), 200);
});

test('a client that is not served sends no more than its window', async () => {
  await using scene = await openScene();
  assert.equal(scene.client.remoteSettings.initialWindowSize, http2WindowBytes);
});

test('windows are widened when an origin takes a body, and narrow again under many uploads', async () => {
  await using scene = await openScene();
  const widths: (number | undefined)[] = [];
  scene.client.on('remoteSettings', ({ initialWindowSize }) => widths.push(initialWindowSize));
  const upload = scene.post('/sink');
  upload.write(Buffer.alloc(2 * uploadBytes));
  await waitUntil('the windows are wide', () => widths.includes(http2WideWindowBytes));
  assert.equal(scene.held(), uploadBytes + http2WideWindowBytes - http2WindowBytes);
  upload.end();
  assert.equal(await statusOf(upload), 200);
  await waitUntil('all is given back', () => scene.held() === 0);
  const many = Array.from({ length: http2WideUploadsMax + 1 }, () => scene.post('/held'));
  for (const one of many) one.write('x');
  await waitUntil('the windows are narrow', () => widths.at(-1) === http2WindowBytes);
  // Those that began wide may have used it.
  assert.equal(scene.held() > many.length * uploadBytes, true);
  for (const one of many) one.close();
  await waitUntil('all is given back', () => scene.held() === 0);
  const next = scene.post('/held');
  next.write('x');
  await waitUntil('it is counted as narrow', () => scene.held() === uploadBytes);
});

test('windows stay narrow where there is no room to spare', async () => {
  await using scene = await openScene({ heldOctetsPerSessionMax: 2 * uploadBytes });
  const widths: (number | undefined)[] = [];
  scene.client.on('remoteSettings', ({ initialWindowSize }) => widths.push(initialWindowSize));
  const upload = scene.post('/sink');
  upload.end(Buffer.alloc(4 * uploadBytes));
  assert.equal(await statusOf(upload), 200);
  assert.deepEqual(widths, []);
});
