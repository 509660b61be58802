// The cache of metadata beside a registry without a network: what is asked of it, who waits for whom, and what never enters.

import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { waitUntil } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { askMetadata, openTestMetadata, type TestMetadata } from '../support/metadata-scene.ts';
import { ScriptedClient, scriptedOrigin, type ScriptedResponse } from '../support/scripted-origin.ts';

const beganMs = 1_900_000_000_000;
const packument = (version: string, bytes = 200): Buffer =>
  Buffer.from(`{"latest":"${version}","more":"${'x'.repeat(bytes)}"}`);
const minute = ['cache-control', 'public, max-age=60', 'content-type', 'application/json'];

interface Scene extends AsyncDisposable {
  readonly cache: TestMetadata;
  readonly directory: string;
  nowMs: number;
}

async function openScene(options: Parameters<typeof openTestMetadata>[1] = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const directory = join(path, 'metadata');
  const at = { nowMs: beganMs };
  const cache = stack.use(await openTestMetadata(directory, { clock: () => at.nowMs, ...options }));
  const owned = stack.move();
  return Object.assign(at, { cache, directory, [Symbol.asyncDispose]: () => owned.disposeAsync() });
}

/** A registry with one document, which says whether it changed. */
function registryOf(state: { version: string; fields?: readonly string[]; status?: number }) {
  return scriptedOrigin((_, count): ScriptedResponse => {
    const { version, fields = minute, status } = state;
    if (status !== undefined) return { status, octets: Buffer.from('away') };
    const etag = `"${version}"`;
    const { headers } = origin().asked[count] ?? {};
    if (headers?.first('if-none-match') === etag)
      return { status: 304, fields: ['etag', etag], octets: Buffer.alloc(0) };
    return { fields: [...fields, 'etag', etag], octets: packument(version) };
  });
  function origin(): ReturnType<typeof scriptedOrigin> {
    return made;
  }
}
let made: ReturnType<typeof scriptedOrigin>;

const useRegistry = (state: Parameters<typeof registryOf>[0]): ReturnType<typeof scriptedOrigin> =>
  (made = registryOf(state));

test('what is fresh is not asked for; then the registry is asked whether it changed, by validators of the cache', async () => {
  await using scene = await openScene();
  const state = { version: '1' };
  const registry = useRegistry(state);
  const ask = () =>
    askMetadata(scene.cache, registry, {
      fields: [
        ['if-none-match', '"of the client"'],
        ['range', 'bytes=0-1'],
      ],
    });
  assert.deepEqual((await ask()).sources, ['fetched']);
  scene.nowMs += 59_000;
  const hit = await ask();
  assert.deepEqual([hit.sources, hit.client.headers.first('age')], [['hit'], '59']);
  assert.ok(hit.client.body.equals(packument('1')));
  scene.nowMs += 2000;
  const unchanged = await ask();
  assert.deepEqual([unchanged.sources, unchanged.client.status], [['revalidated'], 200]);
  assert.ok(unchanged.client.body.equals(packument('1')));
  scene.nowMs += 59_000;
  assert.deepEqual((await ask()).sources, ['hit']);
  state.version = '2';
  scene.nowMs += 2000;
  assert.ok((await ask()).client.body.equals(packument('2')));
  assert.ok((await ask()).client.body.equals(packument('2')));
  assert.deepEqual(
    registry.asked.map(({ headers }) => [
      headers.all('if-none-match'),
      headers.has('range'),
      headers.first('accept-encoding'),
    ]),
    [
      [[], false, 'identity'],
      [['"1"'], false, 'identity'],
      [['"1"'], false, 'identity'],
    ],
  );
});

test('one asks for all that wait, also where nothing may be fresh, and one that leaves hurts no other', async () => {
  await using scene = await openScene();
  const go = Promise.withResolvers<undefined>();
  const registry = scriptedOrigin(() => ({
    fields: ['cache-control', 'no-cache', 'etag', '"1"'],
    octets: packument('1', 100_000),
    pace: (sent) => (sent === 0 ? go.promise : undefined),
  }));
  const leaver = new AbortController();
  const leaving = askMetadata(scene.cache, registry, { signal: leaver.signal }).catch(
    (error: unknown) => error,
  );
  await waitUntil('it asks', () => registry.asked.length === 1);
  const others = Array.from({ length: 19 }, () => askMetadata(scene.cache, registry));
  for (let turns = 0; turns < 50; turns += 1) await setImmediate();
  leaver.abort();
  go.resolve(undefined);
  assert.ok((await leaving) instanceof ProxyError);
  const told = await Promise.all(others);
  for (const { client } of told) assert.ok(client.body.equals(packument('1', 100_000)));
  // The one that left, and one of those that waited.
  assert.equal(registry.asked.length, 2);
  assert.equal(told.filter(({ sources }) => sources[0] === 'joined').length, 18);
});

test('what is not for all is nobody else’s, and nobody waits for the end of it', async () => {
  await using scene = await openScene();
  const go = Promise.withResolvers<undefined>();
  const registry = scriptedOrigin((_, count) => ({
    fields: ['cache-control', 'private, max-age=60'],
    octets: packument(String(count)),
    pace: () => (count === 0 ? go.promise : undefined),
  }));
  const first = askMetadata(scene.cache, registry);
  await waitUntil('it asks', () => registry.asked.length === 1);
  const second = await askMetadata(scene.cache, registry);
  assert.ok(second.client.body.equals(packument('1')));
  go.resolve(undefined);
  assert.ok((await first).client.body.equals(packument('0')));
  assert.deepEqual((await askMetadata(scene.cache, registry)).sources, ['fetched']);
  assert.equal(scene.cache.counts.get('stored'), undefined);
});

test('another form, and what is reached in another way, is another document', async () => {
  await using scene = await openScene();
  const registry = scriptedOrigin((_, count) => ({ fields: minute, octets: packument(String(count)) }));
  for (const asking of [{}, { accept: 'text/html' }, { reach: ['10.0.0.0/8'] }, { path: '/b' }]) {
    assert.deepEqual((await askMetadata(scene.cache, registry, asking)).sources, ['fetched']);
    assert.deepEqual((await askMetadata(scene.cache, registry, asking)).sources, ['hit']);
  }
});

test('while the registry is away, what is here serves for a day, and says so', async () => {
  await using scene = await openScene();
  const state: { version: string; status?: number } = { version: '1' };
  const registry = useRegistry(state);
  await askMetadata(scene.cache, registry);
  scene.nowMs += 120_000;
  state.status = 503;
  const stale = await askMetadata(scene.cache, registry);
  assert.deepEqual([stale.sources, stale.client.status], [['stale'], 200]);
  assert.match(stale.client.headers.first('cache-status') ?? '', /upstreamproxy; hit; detail=stale/);
  assert.equal(stale.client.headers.first('age'), '120');
  // For some seconds nobody asks again.
  assert.deepEqual((await askMetadata(scene.cache, registry)).sources, ['stale']);
  assert.equal(registry.asked.length, 2);
  scene.nowMs += 11_000;
  const gone = {
    forward: (): never => {
      throw new ProxyError('origin_unreachable', 'refused');
    },
  };
  assert.deepEqual((await askMetadata(scene.cache, gone)).sources, ['stale']);
  scene.nowMs += 11_000;
  // One that is not the registry is not away.
  for (const code of ['origin_untrusted', 'policy_denied', 'origin_malformed'] as const)
    await assert.rejects(
      askMetadata(scene.cache, {
        forward: () => {
          throw new ProxyError(code, 'no');
        },
      }),
      { code },
    );
  scene.nowMs += 86_400_000;
  assert.equal((await askMetadata(scene.cache, registry)).client.status, 503);
  await assert.rejects(askMetadata(scene.cache, gone), { code: 'origin_unreachable' });
});

/** It never says a thing. So it is with a session whose connections are all in use. */
const silent = {
  forward: async ({ signal }: { signal: AbortSignal }): Promise<never> => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
    await promise;
    throw new ProxyError('cancelled', 'nobody waits');
  },
};

test('that one session cannot ask a registry makes it away for no other', async () => {
  await using scene = await openScene({ limits: { ...defaultLimits, cacheFollowQuietMs: 20 } });
  const state = { version: '1' };
  const registry = useRegistry(state);
  await askMetadata(scene.cache, registry);
  scene.nowMs += 120_000;
  state.version = '2';
  const other = { sessionId: 'other' };
  assert.deepEqual((await askMetadata(scene.cache, silent, other)).sources, ['stale']);
  assert.deepEqual((await askMetadata(scene.cache, silent, other)).sources, ['stale']);
  const told = await askMetadata(scene.cache, registry);
  assert.deepEqual(told.sources, ['fetched']);
  assert.ok(told.client.body.equals(packument('2')));
});

test('a registry that says nothing is waited for as long as that helps', async () => {
  await using scene = await openScene({ limits: { ...defaultLimits, cacheFollowQuietMs: 20 } });
  const state = { version: '1' };
  const registry = useRegistry(state);
  await askMetadata(scene.cache, registry);
  scene.nowMs += 120_000;
  assert.deepEqual((await askMetadata(scene.cache, silent)).sources, ['stale']);
});

test('of many sessions that wait for a registry that is away each is served by what is here', async () => {
  await using scene = await openScene();
  const go = Promise.withResolvers<undefined>();
  const away = scriptedOrigin((_, count) =>
    count === 0
      ? { fields: minute, octets: packument('1') }
      : { status: 503, octets: Buffer.from('away'), pace: () => go.promise },
  );
  await askMetadata(scene.cache, away);
  scene.nowMs += 120_000;
  const asking = Array.from({ length: 9 }, (_, at) =>
    askMetadata(scene.cache, away, { sessionId: String(at) }),
  );
  await waitUntil('one asks', () => away.asked.length === 2);
  for (let turns = 0; turns < 50; turns += 1) await setImmediate();
  go.resolve(undefined);
  for (const { sources } of await Promise.all(asking)) assert.deepEqual(sources, ['stale']);
});

test('a client that reads nothing holds a list for none but itself: who waited for it asks, and keeps it for all', async () => {
  await using scene = await openScene({ limits: { ...defaultLimits, cacheFollowQuietMs: 20 } });
  const registry = scriptedOrigin((_, count) => ({
    fields: minute,
    octets: packument(String(count), 50_000),
  }));
  const go = Promise.withResolvers<undefined>();
  const slow = askMetadata(scene.cache, registry, { client: new ScriptedClient(() => go.promise) });
  await waitUntil('it leads', () => registry.asked.length === 1);
  for (let turns = 0; turns < 50; turns += 1) await setImmediate();
  scene.nowMs += 1000;
  assert.deepEqual((await askMetadata(scene.cache, registry)).sources, ['fetched']);
  assert.deepEqual((await askMetadata(scene.cache, registry)).sources, ['hit']);
  go.resolve(undefined);
  assert.ok((await slow).client.body.equals(packument('0', 50_000)));
  // What it got is older.
  const told = await askMetadata(scene.cache, registry);
  assert.deepEqual([told.sources, registry.asked.length], [['hit'], 2]);
  assert.ok(told.client.body.equals(packument('1', 50_000)));
});

test('what a registry that is away says of it is not waited for, though it have no end', async () => {
  await using scene = await openScene();
  const never = Promise.withResolvers<undefined>();
  const registry = scriptedOrigin((_, count) =>
    count === 0
      ? { fields: minute, octets: packument('1') }
      : {
          status: 503,
          octets: packument('away', 100_000),
          pace: (sent) => (sent === 0 ? undefined : never.promise),
        },
  );
  await askMetadata(scene.cache, registry);
  const { sent } = registry;
  scene.nowMs += 120_000;
  assert.deepEqual((await askMetadata(scene.cache, registry)).sources, ['stale']);
  assert.equal(registry.sent, sent);
  never.resolve(undefined);
});

test('a registry that says that it is away, and breaks off, is away', async () => {
  await using scene = await openScene();
  await askMetadata(scene.cache, useRegistry({ version: '1' }));
  scene.nowMs += 120_000;
  const broken: Parameters<typeof askMetadata>[1] = {
    forward: (_, receiver) => {
      receiver.onHead(503, ['content-length', '9']);
      throw new ProxyError('origin_truncated', 'it broke off');
    },
  };
  assert.deepEqual((await askMetadata(scene.cache, broken)).sources, ['stale']);
});

const neverEnters: readonly [what: string, response: ScriptedResponse][] = [
  ['cut', { fields: minute, octets: packument('1', 50_000), breaksAt: 20_000 }],
  ['cut where it looks whole', { fields: minute, octets: Buffer.from('{"a":{}'), isChunked: true }],
  ['of unknown length', { fields: minute, octets: packument('1'), isChunked: true }],
  ['a page', { fields: minute, octets: Buffer.from('<html>log in</html>') }],
  ['encoded', { fields: [...minute, 'content-encoding', 'gzip'], octets: packument('1') }],
  ['a part', { status: 206, fields: [...minute, 'content-range', 'bytes 0-1/9'], octets: packument('1') }],
  ['an error', { status: 404, fields: minute, octets: packument('1') }],
  ['with a cookie', { fields: [...minute, 'set-cookie', 'a=b'], octets: packument('1') }],
  [
    'of one connection',
    { fields: [...minute, 'connection', 'close, cache-control', 'vary', 'x-user'], octets: packument('1') },
  ],
  ['with two lengths', { fields: [...minute, 'content-length', '3'], octets: packument('1') }],
];
for (const [what, response] of neverEnters)
  test(`what is ${what} never enters`, async () => {
    await using scene = await openScene();
    const registry = scriptedOrigin(() => response);
    await askMetadata(scene.cache, registry).catch(() => undefined);
    await askMetadata(scene.cache, registry).catch(() => undefined);
    assert.equal(registry.asked.length, 2);
    assert.equal(scene.cache.counts.get('stored'), undefined);
  });

test('a 304 that is about another document makes the cache ask for all of it', async () => {
  await using scene = await openScene();
  const registry = scriptedOrigin((_, count) =>
    count === 1
      ? { status: 304, fields: ['etag', '"other"'], octets: Buffer.alloc(0) }
      : { fields: [...minute, 'etag', `"${String(count)}"`], octets: packument(String(count)) },
  );
  await askMetadata(scene.cache, registry);
  scene.nowMs += 61_000;
  const told = await askMetadata(scene.cache, registry);
  assert.ok(told.client.body.equals(packument('2')));
  assert.deepEqual(registry.asked[2]?.headers.all('if-none-match'), []);
});

test('a client that has it is told so, where it gets the document as it is', async () => {
  await using scene = await openScene();
  const registry = useRegistry({ version: '1' });
  await askMetadata(scene.cache, registry);
  const told = await askMetadata(scene.cache, registry, { asked: { ifNoneMatch: ['"0", W/"1"'] } });
  assert.deepEqual([told.client.status, told.client.octets], [304, 0]);
  const other = await askMetadata(scene.cache, registry, { asked: { ifNoneMatch: ['"2"'] } });
  assert.equal(other.client.status, 200);
});

test('a disk that changes octets costs one request, and nobody gets all of what was changed', async () => {
  for (const bytes of [200, 200_000]) {
    await using scene = await openScene();
    const registry = scriptedOrigin(() => ({ fields: minute, octets: packument('1', bytes) }));
    await askMetadata(scene.cache, registry);
    for await (const { kind, path } of scene.cache.folder.files())
      if (kind === 'object') {
        const octets = await readFile(path);
        octets[octets.length - 3] = 0x79;
        await writeFile(path, octets);
      }
    const client = new ScriptedClient();
    await assert.rejects(askMetadata(scene.cache, registry, { client }), { code: 'internal' });
    assert.ok(client.octets < bytes);
    assert.deepEqual((await askMetadata(scene.cache, registry)).sources, ['fetched']);
  }
});

test('an entry of a form that is not known is not there', async () => {
  await using scene = await openScene();
  const registry = useRegistry({ version: '1' });
  await askMetadata(scene.cache, registry);
  for await (const { kind, path } of scene.cache.folder.files())
    if (kind === 'entry') {
      const entry = JSON.parse(await readFile(path, 'utf8')) as { freshness: { sh: boolean } };
      entry.freshness.sh = false;
      await writeFile(path, JSON.stringify(entry));
    }
  assert.deepEqual((await askMetadata(scene.cache, registry)).sources, ['fetched']);
});

test('it takes no more than its share, and leaves no file of what came behind', async () => {
  await using scene = await openScene({ keepBytes: 400_000 });
  const registry = scriptedOrigin((path) => ({ fields: minute, octets: packument(path, 30_000) }));
  for (let at = 0; at < 30; at += 1) await askMetadata(scene.cache, registry, { path: `/${String(at)}` });
  await askMetadata(scene.cache, registry, { path: '/x', asked: { check: () => nothing } });
  let bytes = 0;
  for await (const file of scene.cache.folder.files()) bytes += file.bytes;
  assert.ok(bytes > 0 && bytes <= 400_000, String(bytes));
  assert.ok((scene.cache.counts.get('left') ?? 0) > 0);
  for (const folder of await readdir(join(scene.directory, 'temporary')))
    assert.deepEqual(await readdir(join(scene.directory, 'temporary', folder)), []);
});

const nothing = {
  onHead: () => undefined,
  onData: () => undefined,
  isReadable: () => false,
  [Symbol.dispose]: () => undefined,
};
