// Archives from the cache over the whole request path: who gets them, what is asked of the registry, and what the audit says.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { setImmediate } from 'node:timers/promises';
import type { CacheCount } from '../../../src/gateway/cache/asked-archive.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { patienceMs } from '../../support/patience.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openTestCache, type TestCache } from '../support/cache-scene.ts';
import { sendRawUntilBroken } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const archive = Buffer.alloc(300_000, 'an archive of some length, ');
const altered = Buffer.concat([archive.subarray(0, -1), Buffer.from('!')]);
const digest = (algorithm: string): string => createHash(algorithm).update(archive).digest('base64');
const hex = createHash('sha256').update(archive).digest('hex');
const published = '2020-01-01T00:00:00.000Z';
const tarball = '/a/-/a-1.0.0.tgz';
const blob = `/v2/a/blobs/sha256:${hex}`;
const packument = JSON.stringify({
  name: 'a',
  'dist-tags': { latest: '1.0.0' },
  versions: { '1.0.0': { dist: { integrity: `sha512-${digest('sha512')}` } } },
  time: { '1.0.0': published },
});

interface Asked {
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
}

interface Got {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly octets: Buffer;
  readonly isWhole: boolean;
}

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly test: TestCache;
  readonly directory: string;
  readonly asked: Asked[];
  readonly at: string;
  rules(packages: string, more?: string): void;
  get(target: string, options?: GetOptions): Promise<Got>;
}

interface GetOptions {
  readonly method?: string;
  readonly fields?: readonly string[];
  readonly principal?: string;
}

interface SceneOptions {
  readonly packages?: string;
  readonly share?: 'all' | 'principal';
  readonly deliver?: (request: IncomingMessage, response: ServerResponse) => void;
  /** What the registry says of packages. */
  readonly tell?: (request: IncomingMessage, response: ServerResponse) => void;
  readonly followQuietMs?: number;
}

const whole = (_: IncomingMessage, response: ServerResponse): void =>
  void response
    .writeHead(200, {
      'content-length': String(archive.length),
      'content-type': 'application/octet-stream',
      'set-cookie': 'a=b',
    })
    .end(archive);

async function openScene({
  packages = 'registry: npm',
  share = 'all',
  deliver = whole,
  tell = (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(packument),
  followQuietMs = defaultLimits.cacheFollowQuietMs,
}: SceneOptions = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(await temporaryDirectory());
  const asked: Asked[] = [];
  const origin = stack.use(
    await httpsOrigin({
      authority,
      handler: (request, response) => {
        asked.push({ target: request.url ?? '', headers: request.headers });
        if (/^\/[ab]$/.test(request.url ?? '')) tell(request, response);
        else deliver(request, response);
      },
    }),
  );
  const at = `registry.test:${String(origin.port)}`;
  const cached = stack.use(await openTestCache(join(directory, 'cache'), { share }));
  const policyOf = (said: string, more = ''): string =>
    `rules:\n  - { name: registry, hosts: registry.test, ports: ${String(origin.port)}, addresses: 127.0.0.0/8${more}, packages: { ${said} } }`;
  const path = stack.use(
    openRequestPath({
      policy: policyOf(packages),
      hosts: ['registry.test'],
      trust: [authority.caPem],
      credentials: { token: { kind: 'bearer', source: { env: 'S' } } },
      environment: { S: 'a-secret-of-some-length' },
      cache: () => cached.cache,
      limits: {
        cacheFollowQuietMs: followQuietMs,
        publishTimesTimeoutMs: Math.max(followQuietMs, defaultLimits.publishTimesTimeoutMs),
      },
    }),
  );
  const owned = stack.move();
  return {
    path,
    test: cached,
    directory: join(directory, 'cache'),
    asked,
    at,
    rules: (said, more) => path.setPolicy(policyOf(said, more)),
    get: async (target, { method = 'GET', fields = [], principal } = {}) => {
      const socket = await path.tls(at, principal === undefined ? {} : { principal });
      const text = await sendRawUntilBroken(
        socket,
        [`${method} ${target} HTTP/1.1`, `Host: ${at}`, ...fields, 'Connection: close', '', ''].join('\r\n'),
      );
      const octets = Buffer.from(text.body, 'latin1');
      const length = text.headers.get('content-length');
      const isWhole = method === 'HEAD' || length === undefined || octets.length === Number(length);
      return { status: text.status, headers: text.headers, octets, isWhole };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** When so much was counted. */
async function counted({ test: { counts } }: Scene, what: CacheCount, count: number): Promise<void> {
  const endMs = Date.now() + patienceMs;
  while ((counts.get(what) ?? 0) < count) {
    if (Date.now() > endMs) throw new Error(`${what}: ${String(counts.get(what))} of ${String(count)}`);
    await setImmediate();
  }
}

/** When all that was fetched has its name. */
const settled = (scene: Scene, stored: number): Promise<void> => counted(scene, 'stored', stored);

/** A request whose response has begun to come. */
async function begun(
  { path, at }: Scene,
  principal: string,
): Promise<{ readonly socket: TLSSocket; readonly all: Promise<Buffer> }> {
  const socket = await path.tls(at, { principal });
  const chunks: Buffer[] = [];
  const { promise: all, resolve } = Promise.withResolvers<Buffer>();
  for (const ended of ['error', 'end', 'close']) socket.once(ended, () => resolve(Buffer.concat(chunks)));
  const first = new Promise((begin) => socket.once('data', begin));
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(`GET ${tarball} HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\n\r\n`);
  await first;
  return { socket, all };
}

const archivesAsked = ({ asked }: Scene): number => asked.filter(({ target }) => target !== '/a').length;

describe('a registry that does not tell what it promises', () => {
  const targets = ({ asked }: Scene): readonly string[] => asked.map(({ target }) => target);

  test('is waited for once, whatever the session fetches of it', async () => {
    await using scene = await openScene({ tell: () => undefined, followQuietMs: 20 });
    for (const target of [tarball, '/b/-/b-1.0.0.tgz', tarball])
      assert.equal((await scene.get(target, { principal: 'alice' })).status, 200);
    assert.deepEqual(targets(scene), ['/a', tarball, '/b/-/b-1.0.0.tgz', tarball]);
    // Another session may find it well.
    await scene.get('/b/-/b-1.0.0.tgz', { principal: 'bob' });
    assert.deepEqual(targets(scene).slice(4), ['/b', '/b/-/b-1.0.0.tgz']);
  });

  test('is asked once for each archive that it says nothing of', async () => {
    await using scene = await openScene({ tell: (_, response) => void response.writeHead(500).end() });
    for (const target of [tarball, tarball, '/b/-/b-1.0.0.tgz'])
      assert.equal((await scene.get(target)).status, 200);
    assert.deepEqual(targets(scene), ['/a', tarball, tarball, '/b', '/b/-/b-1.0.0.tgz']);
  });

  test('keeps no exchange whose client has left', async () => {
    const { promise: told, resolve } = Promise.withResolvers<undefined>();
    await using scene = await openScene({ tell: () => resolve(undefined), followQuietMs: 2 ** 31 - 1 });
    const socket = await scene.path.tls(scene.at);
    socket.write(`GET ${tarball} HTTP/1.1\r\nHost: ${scene.at}\r\n\r\n`);
    await told;
    socket.destroy();
    const [event] = await scene.path.events(1);
    assert.equal(event?.errorCode, 'cancelled');
  });
});

describe('an archive that was fetched once', () => {
  test('comes from the cache to another principal, and the audit says so', async () => {
    await using scene = await openScene();
    const first = await scene.get(tarball, { principal: 'alice' });
    assert.ok(first.octets.equals(archive));
    await settled(scene, 1);
    const second = await scene.get(tarball, { principal: 'bob' });
    assert.ok(second.octets.equals(archive));
    assert.equal(second.headers.get('content-type'), 'application/octet-stream');
    assert.equal(second.headers.get('set-cookie'), undefined);
    assert.match(second.headers.get('age') ?? '', /^\d+$/);
    assert.match(second.headers.get('date') ?? '', / GMT$/);
    // What is promised of it was asked for once, too.
    assert.deepEqual(
      scene.asked.map(({ target }) => target),
      ['/a', tarball],
    );
    const [miss, hit] = await scene.path.events(2);
    const checked = `sha512-${digest('sha512')}`;
    assert.deepEqual(
      [miss?.package?.cache, miss?.package?.digest, miss?.address !== undefined],
      [undefined, checked, true],
    );
    assert.deepEqual(
      [hit?.package?.cache, hit?.package?.digest, hit?.address, hit?.verdict],
      ['hit', checked, undefined, 'allow'],
    );
    assert.equal(hit?.responseBytes, archive.length);
  });

  test('is judged for each request: what is denied by now does not come from the cache either', async () => {
    await using scene = await openScene();
    await scene.get(tarball);
    await settled(scene, 1);
    scene.rules('registry: npm, deny: "a@1.0.0"');
    assert.equal((await scene.get(tarball)).status, 403);
    scene.rules('registry: npm, minAge: 36500d');
    assert.equal((await scene.get(tarball)).status, 403);
    scene.rules('registry: npm');
    assert.equal((await scene.get(tarball)).status, 200);
    assert.equal(archivesAsked(scene), 1);
  });

  test('is there after a start, without a question to the registry', async () => {
    await using scene = await openScene();
    await scene.get(tarball);
    await settled(scene, 1);
    // What this process knows of promises is gone with it.
    await using other = await openTestCache(scene.directory);
    await using path = openRequestPath({
      policy: `rules:\n  - { name: registry, hosts: registry.test, ports: ${scene.at.split(':')[1] ?? ''}, addresses: 127.0.0.0/8, packages: { registry: npm } }`,
      hosts: [],
      trust: [],
      cache: () => other.cache,
    });
    const socket = await path.tls(scene.at);
    const got = await sendRawUntilBroken(
      socket,
      `GET ${tarball} HTTP/1.1\r\nHost: ${scene.at}\r\nConnection: close\r\n\r\n`,
    );
    assert.equal(got.status, 200);
    assert.ok(Buffer.from(got.body, 'latin1').equals(archive));
  });

  test('comes in parts, and its head alone', async () => {
    await using scene = await openScene();
    await scene.get(tarball);
    await settled(scene, 1);
    const part = await scene.get(tarball, { fields: ['Range: bytes=10-19'] });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get('content-range'), `bytes 10-19/${String(archive.length)}`);
    assert.ok(part.octets.equals(archive.subarray(10, 20)));
    const last = await scene.get(tarball, { fields: ['Range: bytes=-5'] });
    assert.ok(last.octets.equals(archive.subarray(-5)));
    assert.equal((await scene.get(tarball, { fields: ['Range: bytes=300000-'] })).status, 416);
    const several = await scene.get(tarball, { fields: ['Range: bytes=0-1,4-5'] });
    assert.deepEqual([several.status, several.octets.length], [200, archive.length]);
    const head = await scene.get(tarball, { method: 'HEAD' });
    assert.deepEqual(
      [head.status, head.headers.get('content-length'), head.octets.length],
      [200, String(archive.length), 0],
    );
    assert.equal(archivesAsked(scene), 1);
  });

  test('of OCI is known by its address; a part of what is not there is fetched as one and not kept', async () => {
    await using scene = await openScene({ packages: 'registry: oci' });
    assert.equal((await scene.get(blob, { fields: ['Range: bytes=0-9'] })).status, 200);
    assert.equal(scene.asked[0]?.headers.range, 'bytes=0-9');
    assert.equal(scene.test.counts.get('stored'), undefined);
    // As skopeo asks.
    await scene.get(blob, { fields: ['Docker-Distribution-Api-Version: registry/2.0'] });
    await settled(scene, 1);
    const part = await scene.get(blob, { fields: ['Range: bytes=0-9'] });
    assert.deepEqual([part.status, part.octets.length], [206, 10]);
    assert.equal(archivesAsked(scene), 2);
  });
});

test('a file that was changed on the disk never comes whole, and is fetched anew the next time', async () => {
  await using scene = await openScene();
  await scene.get(tarball);
  await settled(scene, 1);
  const file = join(scene.directory, 'objects', hex.slice(0, 2), hex);
  await writeFile(file, altered);
  const got = await scene.get(tarball);
  assert.equal(got.isWhole, false);
  assert.equal(archivesAsked(scene), 1);
  // It is not the registry that delivers something else.
  assert.equal(
    (await scene.path.events(2)).some(({ kind }) => kind === 'alarm'),
    false,
  );
  await counted(scene, 'damaged', 1);
  assert.ok((await scene.get(tarball)).octets.equals(archive));
  assert.equal(archivesAsked(scene), 2);
});

describe('is not kept:', () => {
  const cases: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
    'what a workload sends a credential for': (scene) =>
      scene.get(tarball, { fields: ['Authorization: Bearer x'] }),
    'what it sends a cookie for': (scene) => scene.get(tarball, { fields: ['Cookie: a=b'] }),
    'what a field asks for of which nobody knows': (scene) =>
      scene.get(tarball, { fields: ['X-Api-Key: x'] }),
    'what has a query': (scene) => scene.get(`${tarball}?token=x`),
    'what the client wants to have kept nowhere': (scene) =>
      scene.get(tarball, { fields: ['Cache-Control: no-store'] }),
    'what a credential is put on': (scene) => {
      scene.rules('registry: npm', ', inject: token');
      return scene.get(tarball);
    },
    'what is screened': (scene) => {
      scene.rules('registry: npm', ', screen: { on: alert }');
      return scene.get(tarball);
    },
    'what a rule keeps bodies of': (scene) => {
      scene.rules('registry: npm', ', capture: { bodies: true }');
      return scene.get(tarball);
    },
  };
  for (const [name, ask] of Object.entries(cases))
    test(name, async () => {
      await using scene = await openScene();
      await ask(scene);
      await ask(scene);
      assert.equal(scene.test.counts.size, 0);
      assert.deepEqual(await readdir(join(scene.directory, 'entries')), []);
    });

  for (const [name, fields, status] of [
    ['another status', {}, 203],
    ['a coding', { 'content-encoding': 'br' }, 200],
    ['no-store', { 'cache-control': 'public, No-Store' }, 200],
    ['private', { 'cache-control': 'private' }, 200],
  ] as const)
    test(`what comes with ${name}`, async () => {
      await using scene = await openScene({
        deliver: (_, response) => void response.writeHead(status, fields).end(archive),
      });
      assert.equal((await scene.get(tarball)).status, status);
      await scene.get(tarball);
      assert.equal(archivesAsked(scene), 2);
      assert.equal(scene.test.counts.get('stored'), undefined);
    });

  test('what is not promised: the origin alone says what it is', async () => {
    await using scene = await openScene({ packages: 'registry: go' });
    assert.equal((await scene.get('/example.com/a/@v/v1.0.0.zip')).status, 200);
    assert.equal(scene.test.counts.size, 0);
  });

  test('what is not what was promised, in any form', async () => {
    for (const deliver of [
      (_: IncomingMessage, response: ServerResponse) =>
        void response.writeHead(200, { 'content-length': String(altered.length) }).end(altered),
      (_: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200);
        response.write(altered.subarray(0, 1000));
        response.end(altered.subarray(1000));
      },
      (_: IncomingMessage, response: ServerResponse) => {
        response.writeHead(200, { 'content-length': String(archive.length) });
        response.write(archive.subarray(0, 1000), () => response.destroy());
      },
      (_: IncomingMessage, response: ServerResponse) => void response.writeHead(200).end(),
    ]) {
      await using scene = await openScene({ deliver });
      const got = await scene.get(tarball);
      assert.ok(!got.octets.includes('!') && got.octets.length < archive.length);
      await scene.get(tarball);
      assert.equal(archivesAsked(scene), 2);
      assert.equal(scene.test.counts.get('stored'), undefined);
      assert.deepEqual(await readdir(join(scene.directory, 'objects')), []);
    }
  });
});

test('of one principal alone, where it is configured so', async () => {
  await using scene = await openScene({ share: 'principal' });
  await scene.get(tarball, { principal: 'alice' });
  await settled(scene, 1);
  await scene.get(tarball, { principal: 'bob' });
  assert.equal(archivesAsked(scene), 2);
  await settled(scene, 2);
  await scene.get(tarball, { principal: 'alice/another' });
  assert.equal(archivesAsked(scene), 2);
});

test('twenty that ask at once are served by one fetch, and one that leaves ends it for no other', async () => {
  const held = Promise.withResolvers<undefined>();
  await using scene = await openScene({
    deliver: (_, response) => {
      response.writeHead(200, { 'content-length': String(archive.length) });
      response.write(archive.subarray(0, 1000));
      void held.promise.then(() => response.end(archive.subarray(1000)));
    },
  });
  // The one that began the fetch has its beginning.
  const { socket } = await begun(scene, 'alice');
  const others = Array.from({ length: 20 }, (_, i) => scene.get(tarball, { principal: `p${String(i)}` }));
  await counted(scene, 'joined', 20);
  socket.destroy();
  held.resolve(undefined);
  for (const { octets } of await Promise.all(others)) assert.ok(octets.equals(archive));
  assert.equal(archivesAsked(scene), 1);
  const events = await scene.path.events(21);
  assert.equal(events.filter(({ package: fetched }) => fetched?.cache === 'joined').length, 20);
});

test('where a fetch breaks off, those that waited for it go on by themselves from where they were', async () => {
  let count = 0;
  const held = Promise.withResolvers<undefined>();
  await using scene = await openScene({
    deliver: (request, response) => {
      count += 1;
      if (count > 1) return whole(request, response);
      response.writeHead(200, { 'content-length': String(archive.length) });
      response.write(archive.subarray(0, 100_000));
      void held.promise.then(() => response.destroy());
    },
  });
  const first = await begun(scene, 'alice');
  const second = await begun(scene, 'bob');
  held.resolve(undefined);
  assert.ok((await first.all).length < archive.length);
  const { all } = second;
  assert.ok((await all).subarray(-archive.length).equals(archive));
  assert.equal(archivesAsked(scene), 2);
});
