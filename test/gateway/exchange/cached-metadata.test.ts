// Metadata from the cache over the whole request path: the filter stands behind it, and what has a credential does not come near it.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { httpsOrigin, type Origin } from '../../support/origin.ts';
import { waitUntil } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openTestCache, type TestCache } from '../support/cache-scene.ts';
import { openTestMetadata, type TestMetadata } from '../support/metadata-scene.ts';
import { sendRawUntilBroken } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const archive = Buffer.alloc(3000, 'an archive, ');
const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
const versions = ['1.0.0', '1.1.0'];
const packument = JSON.stringify({
  name: 'a',
  'dist-tags': { latest: '1.1.0' },
  versions: Object.fromEntries(
    versions.map((version) => [version, { name: 'a', version, dist: { integrity } }]),
  ),
  time: Object.fromEntries(versions.map((version) => [version, '2020-01-01T00:00:00.000Z'])),
});
const etag = '"of the registry"';

interface Told {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

interface Scene extends AsyncDisposable {
  path: RequestPath;
  /** Another gateway with the same caches, which knows nothing else. */
  restart(): void;
  readonly cache: TestCache;
  readonly metadata: TestMetadata;
  readonly origin: Origin;
  readonly asked: IncomingMessage[];
  rules(packages: string, more?: string): void;
  get(target: string, fields?: readonly string[], principal?: string): Promise<Told>;
}

const asJson = (request: IncomingMessage, response: ServerResponse): void => {
  const fields = { 'content-type': 'application/json', 'cache-control': 'public, max-age=300', etag };
  if (request.headers['if-none-match'] === etag) response.writeHead(304, fields).end();
  else response.writeHead(200, { ...fields, 'content-length': String(packument.length) }).end(packument);
};

async function openScene({
  packages = 'registry: npm, minAge: 3d',
  tell = asJson,
  share = 'all',
}: {
  readonly packages?: string;
  readonly tell?: typeof asJson;
  readonly share?: 'all' | 'principal';
} = {}): Promise<Scene & { readonly clock: { nowMs: number } }> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryDirectory());
  const asked: IncomingMessage[] = [];
  const origin = stack.use(
    await httpsOrigin({
      authority,
      handler: (request, response) => {
        asked.push(request);
        if (request.url?.endsWith('.tgz') === true)
          response.writeHead(200, { 'content-length': '3000' }).end(archive);
        else tell(request, response);
      },
    }),
  );
  const at = `registry.test:${String(origin.port)}`;
  const clock = { nowMs: Date.now() };
  const cache = stack.use(await openTestCache(join(folder, 'cache'), { share }));
  const metadata = stack.use(
    await openTestMetadata(join(folder, 'metadata'), { share, clock: () => clock.nowMs }),
  );
  const policyOf = (said: string, more = ''): string =>
    `rules:\n  - { name: registry, hosts: registry.test, ports: ${String(origin.port)}, addresses: 127.0.0.0/8${more}, packages: { ${said} } }`;
  const open = (said: string): RequestPath =>
    openRequestPath({
      policy: policyOf(said),
      hosts: ['registry.test'],
      trust: [authority.caPem],
      credentials: { token: { kind: 'bearer', source: { env: 'S' } } },
      environment: { S: 'a-secret-of-some-length' },
      cache: () => cache.cache,
      metadata: () => metadata.cache,
    });
  const path = stack.use(open(packages));
  const owned = stack.move();
  const scene: Scene & { readonly clock: { nowMs: number } } = {
    path,
    restart: () => (scene.path = owned.use(open(packages))),
    cache,
    metadata,
    origin,
    asked,
    clock,
    rules: (said, more) => scene.path.setPolicy(policyOf(said, more)),
    get: async (target, fields = [], principal) => {
      const socket = await scene.path.tls(at, principal === undefined ? {} : { principal });
      const lines = [`GET ${target} HTTP/1.1`, `Host: ${at}`, ...fields, 'Connection: close', '', ''];
      const { status, headers, body } = await sendRawUntilBroken(socket, lines.join('\r\n'));
      return { status, headers, text: body };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  return scene;
}

const shown = ({ text }: Told): readonly string[] =>
  Object.keys((JSON.parse(text) as { versions: object }).versions);

describe('what a registry told once', () => {
  test('is filtered for each request, by what is allowed then, and was kept without a filter', async () => {
    await using scene = await openScene({ packages: 'registry: npm, deny: "a@1.1.0"' });
    assert.deepEqual(shown(await scene.get('/a', [], 'alice')), ['1.0.0']);
    scene.rules('registry: npm, deny: "a@1.0.0"');
    const second = await scene.get('/a', [], 'bob');
    assert.deepEqual(shown(second), ['1.1.0']);
    // What is shown has a tag and a time of its own.
    assert.notEqual(second.headers.get('etag'), etag);
    assert.equal(scene.asked.length, 1);
    const [first, hit] = await scene.path.events(2);
    assert.deepEqual(
      [first?.package?.cache, hit?.package?.cache, hit?.address],
      [undefined, 'hit', undefined],
    );
  });

  test('is fresh for the client for what is left of its time', async () => {
    await using scene = await openScene();
    assert.match((await scene.get('/a')).headers.get('cache-control') ?? '', /max-age=300/);
    scene.clock.nowMs += 100_000;
    assert.match((await scene.get('/a')).headers.get('cache-control') ?? '', /max-age=200/);
  });

  test('is asked for again by the cache, and not with what the client has', async () => {
    await using scene = await openScene();
    const { headers } = await scene.get('/a', ['If-None-Match: "of another"']);
    scene.clock.nowMs += 400_000;
    const again = await scene.get('/a', [`If-None-Match: ${headers.get('etag') ?? ''}`]);
    assert.equal(again.status, 304);
    assert.deepEqual(
      scene.asked.map((one) => one.headers['if-none-match']),
      [undefined, etag],
    );
    const [, second] = await scene.path.events(2);
    assert.equal(second?.package?.cache, 'revalidated');
  });

  test('is nobody’s who asks with a credential of its own or of the gateway', async () => {
    await using scene = await openScene();
    for (const field of ['Authorization: Bearer x', 'Cookie: a=b', 'X-Token: x']) {
      await scene.get('/a', [field]);
      assert.equal(scene.metadata.counts.get('stored'), undefined, field);
    }
    await scene.get('/a');
    assert.equal(scene.metadata.counts.get('stored'), 1);
    const before = scene.asked.length;
    await scene.get('/a', ['Authorization: Bearer x']);
    scene.rules('registry: npm, minAge: 3d', ', inject: token');
    await scene.get('/a');
    assert.equal(scene.asked.length, before + 2);
    assert.equal(scene.metadata.counts.get('hit'), undefined);
  });

  test('is for one principal alone where the cache shares nothing', async () => {
    await using scene = await openScene({ share: 'principal' });
    await scene.get('/a', [], 'alice');
    await scene.get('/a', [], 'bob');
    assert.equal(scene.asked.length, 2);
    await scene.get('/a', [], 'alice');
    assert.equal(scene.asked.length, 2);
  });

  test('is passed on as it is where no rule hides anything', async () => {
    await using scene = await openScene({ packages: 'registry: npm' });
    await scene.get('/a');
    const hit = await scene.get('/a', ['Accept: */*']);
    assert.equal(hit.text, packument);
    await scene.get('/a');
    const same = await scene.get('/a', [`If-None-Match: ${etag}`]);
    assert.deepEqual([same.status, same.text], [304, '']);
    assert.equal(scene.asked.length, 2);
  });
});

test('while the registry is away, a new gateway installs what it has, by what it knows of it', async () => {
  await using scene = await openScene();
  await scene.get('/a');
  await scene.get('/a/-/a-1.0.0.tgz');
  await waitUntil('it is stored', () => scene.cache.counts.get('stored') === 1);
  scene.clock.nowMs += 3_600_000;
  await scene.origin.close();
  scene.restart();
  // One with a lock file asks for the archive alone: when that came out, is known from what is here.
  const offline = await scene.get('/a/-/a-1.0.0.tgz');
  assert.deepEqual([offline.status, offline.text.length], [200, archive.length]);
  const stale = await scene.get('/a', ['Cache-Control: max-age=0']);
  assert.deepEqual([stale.status, shown(stale)], [200, versions]);
  assert.match(stale.headers.get('cache-status') ?? '', /stale/);
  assert.match(stale.headers.get('cache-control') ?? '', /no-cache/);
  const events = await scene.path.events(2);
  assert.deepEqual(
    events.map((one) => one.package?.cache),
    ['hit', 'stale'],
  );
});

test('a page in the place of metadata is refused, and is not kept', async () => {
  let isPage = true;
  await using scene = await openScene({
    tell: (request, response) => {
      if (isPage)
        response
          .writeHead(200, { 'content-type': 'text/html', 'cache-control': 'max-age=600' })
          .end('<html>');
      else asJson(request, response);
    },
  });
  assert.equal((await scene.get('/a')).status, 502);
  isPage = false;
  assert.deepEqual(shown(await scene.get('/a')), versions);
});

test('config.json of cargo is kept if it says where archives are, and nothing else in its place', async () => {
  let said = '{"dl":7}';
  await using scene = await openScene({
    packages: 'registry: cargo, minAge: 3d',
    tell: (_, response) => {
      const fields = { 'cache-control': 'max-age=600', 'content-length': String(said.length) };
      response.writeHead(200, fields).end(said);
    },
  });
  for (const one of ['{"dl":7}', '<html>', 'null', `{"dl":"x","more":"${'x'.repeat(70_000)}"}`]) {
    said = one;
    assert.equal((await scene.get('/config.json')).text, one);
  }
  assert.equal(scene.metadata.counts.get('stored'), undefined);
  said = '{"dl":"https://a.test"}';
  for (let times = 0; times < 3; times += 1)
    assert.equal((await scene.get('/config.json', ['Cargo-Protocol: version=1'])).text, said);
  assert.equal(scene.asked.length, 5);
});
