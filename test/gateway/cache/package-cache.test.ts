// The cache beside an origin without a network: what breaks on either side, and what stays within its bounds.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CacheFolder, type CachedFile } from '../../../src/gateway/cache/cache-folder.ts';
import { verifyCache } from '../../../src/gateway/cache/cache-upkeep.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { HeldOctets } from '../../../src/protocol/held-octets.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { waitUntil } from '../../support/program.ts';
import { seeded } from '../../support/seeded.ts';
import { temporaryDirectory, withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { killedBytes, openTestCache, type TestCache } from '../support/cache-scene.ts';
import { fetchBy, promiseOf, ScriptedClient, scriptedOrigin } from '../support/scripted-origin.ts';

const MiB = 1024 ** 2;
const archiveOf = (bytes: number, fill = 'an archive, '): Buffer => Buffer.alloc(bytes, fill);

async function filesIn(folder: CacheFolder): Promise<readonly CachedFile[]> {
  return await Array.fromAsync(folder.files());
}

const isStored = (cache: TestCache, count: number): Promise<void> =>
  waitUntil('it is stored', () => (cache.counts.get('stored') ?? 0) >= count);

test('nobody but its user may look into the folder, and a folder of others is refused', () =>
  withTemporaryDirectory(async (directory) => {
    const path = join(directory, 'cache');
    {
      await using cache = await openTestCache(path);
      const octets = archiveOf(1000);
      await fetchBy(
        cache.cache,
        scriptedOrigin(() => ({ octets })),
        { promised: promiseOf(octets) },
      );
      await isStored(cache, 1);
      for (const file of await filesIn(cache.folder))
        assert.equal((await stat(file.path)).mode & 0o777, 0o600);
      for (const name of ['', 'objects', 'entries', 'temporary'])
        assert.equal((await stat(join(path, name))).mode & 0o777, 0o700);
    }
    spawnSync('chmod', ['755', path]);
    await assert.rejects(CacheFolder.open(path), { code: 'config_invalid' });
  }));

test('a promise that the registry changed is another archive', () =>
  withTemporaryDirectory(async (directory) => {
    await using test = await openTestCache(join(directory, 'cache'));
    const [before, now] = [archiveOf(1000), archiveOf(1000, 'published again')];
    const origin = scriptedOrigin((_, count) => ({ octets: count === 0 ? before : now }));
    await fetchBy(test.cache, origin, { promised: promiseOf(before) });
    await isStored(test, 1);
    const { client, sources } = await fetchBy(test.cache, origin, { promised: promiseOf(now) });
    assert.deepEqual(sources, ['fetched']);
    assert.ok(client.body.equals(now));
    await isStored(test, 2);
    assert.deepEqual((await fetchBy(test.cache, origin, { promised: promiseOf(now) })).sources, ['hit']);
  }));

test('a head that the origin had to be asked for leaves nothing behind: what another process stored is found', () =>
  withTemporaryDirectory(async (directory) => {
    const path = join(directory, 'cache');
    await using test = await openTestCache(path);
    await using other = await openTestCache(path);
    const octets = archiveOf(1000);
    const promised = promiseOf(octets);
    const origin = scriptedOrigin(() => ({ octets }));
    const head = await fetchBy(test.cache, origin, { promised, method: 'HEAD' });
    assert.deepEqual(head.sources, ['passed']);
    await fetchBy(other.cache, origin, { promised });
    await isStored(other, 1);
    assert.deepEqual((await fetchBy(test.cache, origin, { promised })).sources, ['hit']);
    const known = await fetchBy(test.cache, origin, { promised, method: 'HEAD' });
    assert.deepEqual([known.sources, known.client.octets, known.client.status], [['hit'], 0, 200]);
  }));

test('what was not used for the longest leaves, and the folder stays below its bound', () =>
  withTemporaryDirectory(async (directory) => {
    let nowMs = 1_900_000_000_000;
    await using test = await openTestCache(join(directory, 'cache'), {
      keepBytes: 4 * MiB,
      // Each use is long enough after the one before to be noted.
      clock: () => (nowMs += 20_000),
    });
    const octetsOf = (path: string): Buffer => archiveOf(MiB - 100_000, path);
    const origin = scriptedOrigin((path) => ({ octets: octetsOf(path) }));
    const get = async (path: string): Promise<string> => {
      const { sources, client } = await fetchBy(test.cache, origin, {
        path,
        promised: promiseOf(octetsOf(path)),
      });
      assert.ok(client.body.equals(octetsOf(path)));
      return sources.join(' ');
    };
    for (const [at, path] of ['/a', '/b', '/c', '/d'].entries()) {
      assert.equal(await get(path), 'fetched');
      await isStored(test, at + 1);
      // Files have the time of their making, which a test cannot choose.
      for (const { path: file, usedMs } of await filesIn(test.folder))
        if (usedMs < 1_899_000_000_000 || usedMs > 1_950_000_000_000)
          await utimes(file, nowMs / 1000, nowMs / 1000);
      if (at === 2) assert.equal(await get('/a'), 'hit');
    }
    assert.equal(await get('/a'), 'hit');
    assert.equal(await get('/e'), 'fetched');
    await isStored(test, 5);
    assert.equal(await get('/a'), 'hit');
    assert.equal(await get('/b'), 'fetched');
    const bytes = (await filesIn(test.folder)).reduce((sum, file) => sum + file.bytes, 0);
    assert.ok(bytes <= 4 * MiB, String(bytes));
    assert.ok((test.counts.get('left') ?? 0) > 0);
  }));

test('files that leave while they are read are read to their end, and are fetched anew', () =>
  withTemporaryDirectory(async (directory) => {
    await using test = await openTestCache(join(directory, 'cache'));
    const octets = archiveOf(MiB);
    const origin = scriptedOrigin(() => ({ octets }));
    const promised = promiseOf(octets);
    await fetchBy(test.cache, origin, { promised });
    await isStored(test, 1);
    const goOn = Promise.withResolvers<undefined>();
    const slow = new ScriptedClient(() => goOn.promise);
    const reading = fetchBy(test.cache, origin, { promised, client: slow });
    await waitUntil('it reads', () => slow.octets > 0);
    for (const { path, kind } of await filesIn(test.folder)) if (kind === 'object') await rm(path);
    assert.deepEqual((await fetchBy(test.cache, origin, { promised })).sources, ['fetched']);
    goOn.resolve(undefined);
    assert.deepEqual((await reading).sources, ['hit']);
    assert.ok(slow.body.equals(octets));
  }));

test('what is remembered of an archive that another process replaced by the same is looked for again', () =>
  withTemporaryDirectory(async (directory) => {
    const path = join(directory, 'cache');
    await using test = await openTestCache(path);
    await using other = await openTestCache(path);
    // Longer than what is in memory.
    const octets = archiveOf(300_000);
    const promised = promiseOf(octets);
    const origin = scriptedOrigin(() => ({ octets }));
    await fetchBy(test.cache, origin, { promised });
    await isStored(test, 1);
    for (const { path: file } of await filesIn(test.folder)) await rm(file);
    assert.deepEqual((await fetchBy(other.cache, origin, { promised })).sources, ['fetched']);
    await isStored(other, 1);
    assert.deepEqual((await fetchBy(test.cache, origin, { promised })).sources, ['hit']);
    for (const { path: file, kind } of await filesIn(test.folder)) if (kind === 'object') await rm(file);
    const anew = await fetchBy(test.cache, origin, { promised });
    assert.deepEqual([anew.sources, anew.client.body.equals(octets)], [['fetched'], true]);
  }));

test('an entry that is no entry, or cut off, or of another key, is none', () =>
  withTemporaryDirectory(async (directory) => {
    const path = join(directory, 'cache');
    await using test = await openTestCache(path);
    const octets = archiveOf(1000);
    const origin = scriptedOrigin(() => ({ octets }));
    const promised = promiseOf(octets);
    await fetchBy(test.cache, origin, { promised });
    await isStored(test, 1);
    const file = (await filesIn(test.folder)).find(({ kind }) => kind === 'entry')?.path ?? assert.fail();
    const text = await readFile(file, 'utf8');
    const changed = [
      '',
      text.slice(0, -20),
      'null',
      '"a"',
      text.replace('registry.test', 'registry.tost'),
      text.replace('"v":1', '"v":2'),
      text.replace(/"bytes":\d+/, '"bytes":-1'),
      text.replace(/"bytes":\d+/, '"bytes":999'),
      text.replace(/"sha256":"../, '"sha256":"/.'),
      'x'.repeat(defaultLimits.cacheEntryBytesMax + 1),
    ];
    for (const one of changed) {
      await writeFile(file, one);
      // One that remembers nothing.
      await using later = await openTestCache(path);
      const { sources, client } = await fetchBy(later.cache, origin, { promised });
      assert.deepEqual(sources, ['fetched'], one.slice(0, 200));
      assert.ok(client.body.equals(octets));
      await isStored(later, 1);
      assert.deepEqual(later.faults, []);
    }
    assert.deepEqual((await fetchBy(test.cache, origin, { promised })).sources, ['hit']);
  }));

test('a part is sent of what was seen whole alone', () =>
  withTemporaryDirectory(async (directory) => {
    const octets = archiveOf(100_000);
    const origin = scriptedOrigin(() => ({ octets }));
    const promised = promiseOf(octets);
    const path = join(directory, 'cache');
    {
      await using test = await openTestCache(path);
      await fetchBy(test.cache, origin, { promised });
      await isStored(test, 1);
    }
    await using test = await openTestCache(path);
    const part = await fetchBy(test.cache, origin, { promised, range: 'bytes=5-9' });
    assert.deepEqual(
      [part.client.status, part.client.body.toString()],
      [206, octets.subarray(5, 10).toString()],
    );
    const file = (await filesIn(test.folder)).find(({ kind }) => kind === 'object')?.path ?? assert.fail();
    await writeFile(file, archiveOf(100_000, 'changed'));
    await using later = await openTestCache(path);
    const whole = await fetchBy(later.cache, origin, { promised, range: 'bytes=5-9' });
    assert.deepEqual([whole.sources, whole.client.status], [['passed'], 200]);
    assert.equal(later.counts.get('damaged'), 1);
    assert.deepEqual(await filesIn(later.folder), []);
  }));

setFlagsFromString('--expose-gc');
// Not known to the types: the engine's own function.
const collect = runInNewContext('gc') as () => void;

describe('a client that takes nothing', () => {
  test('has no more fetched than a bound, and holds up nobody who comes later', () =>
    withTemporaryDirectory(async (directory) => {
      const held = new HeldOctets();
      await using test = await openTestCache(join(directory, 'cache'), { keepBytes: 512 * MiB, held });
      const octets = Buffer.alloc(64 * MiB);
      for (let at = 0; at < octets.length; at += 4096) octets.writeUInt32LE(at, at);
      const promised = promiseOf(octets);
      const origin = scriptedOrigin(() => ({ octets, chunkBytes: 65_536 }));
      const stalled = new ScriptedClient(() => new Promise(() => undefined));
      const leaving = new AbortController();
      const first = fetchBy(test.cache, origin, { promised, client: stalled, signal: leaving.signal });
      first.catch(() => undefined);
      const ahead = defaultLimits.cacheAheadBytesMax;
      await waitUntil('it is ahead', () => origin.sent >= ahead);
      for (let turn = 0; turn < 200; turn += 1) await setImmediate();
      assert.ok(origin.sent <= ahead + 2 * 65_536, String(origin.sent));
      collect();
      const [before, hash] = [process.memoryUsage().arrayBuffers, createHash('sha512')];
      let [peak, taken] = [0, 0];
      const quick = new ScriptedClient();
      quick.keep = (piece) => {
        hash.update(piece);
        // What is garbage already is not held: collected before it is counted, and not for each piece.
        if (Math.floor(taken / (4 * MiB)) !== Math.floor((taken + piece.byteLength) / (4 * MiB))) {
          collect();
          peak = Math.max(peak, process.memoryUsage().arrayBuffers);
        }
        taken += piece.byteLength;
      };
      await fetchBy(test.cache, origin, { promised, client: quick });
      assert.equal(`sha512-${hash.digest('base64')}`, promised);
      assert.equal(origin.asked.length, 1);
      assert.ok(peak - before < 40 * MiB, String(peak - before));
      await isStored(test, 1);
      leaving.abort();
      await assert.rejects(first, { code: 'cancelled' });
      assert.equal(held.all, 0);
    }));

  test('of what is in memory has room for all of it, and else is served from the disk', () =>
    withTemporaryDirectory(async (directory) => {
      const held = new HeldOctets();
      await using test = await openTestCache(join(directory, 'cache'), { held });
      const octets = archiveOf(200_000);
      const promised = promiseOf(octets);
      const origin = scriptedOrigin(() => ({ octets }));
      await fetchBy(test.cache, origin, { promised });
      await waitUntil('the fetch is over', () => held.all === 0);
      const leaving = new AbortController();
      const { signal } = leaving;
      const began = Promise.withResolvers<undefined>();
      const client = new ScriptedClient(() => {
        began.resolve(undefined);
        return new Promise(() => undefined);
      });
      const stalled = fetchBy(test.cache, origin, { promised, client, signal });
      await began.promise;
      assert.equal(held.all, octets.length);
      leaving.abort();
      await assert.rejects(stalled, { code: 'cancelled' });
      assert.equal(held.all, 0);
      // Just what a reader of the file needs.
      const { reserve } = held;
      held.reserve = (sessionId, wanted) => {
        if (wanted > 65_536) throw new ProxyError('limit_exceeded', 'no room', { limit: 'heldOctetsMax' });
        return Reflect.apply(reserve, held, [sessionId, wanted]);
      };
      const { sources, client: served } = await fetchBy(test.cache, origin, { promised });
      assert.deepEqual([sources, served.body.equals(octets)], [['hit'], true]);
      assert.equal(origin.asked.length, 1);
    }));

  test('is given up after the time in which something has to move', () =>
    withTemporaryDirectory(async (directory) => {
      const limits = { ...defaultLimits, idleTimeoutMs: 50 };
      await using test = await openTestCache(join(directory, 'cache'), { limits });
      const octets = archiveOf(MiB);
      const client = new ScriptedClient(() => new Promise(() => undefined));
      const origin = scriptedOrigin(() => ({ octets }));
      await assert.rejects(fetchBy(test.cache, origin, { promised: promiseOf(octets), client }), {
        code: 'timeout',
        limit: 'idleTimeoutMs',
      });
    }));
});

test('one that waits for a fetch in which nothing comes asks for itself, from where it is', () =>
  withTemporaryDirectory(async (directory) => {
    const limits = { ...defaultLimits, cacheFollowQuietMs: 30 };
    await using test = await openTestCache(join(directory, 'cache'), { limits });
    const octets = archiveOf(200_000);
    const stuck = Promise.withResolvers<undefined>();
    const origin = scriptedOrigin((_, count) => ({
      octets,
      pace: (at) => (count === 0 && at > 100_000 ? stuck.promise : undefined),
    }));
    const promised = promiseOf(octets);
    const first = fetchBy(test.cache, origin, { promised });
    const second = await fetchBy(test.cache, origin, { promised });
    assert.deepEqual(second.sources, ['joined', 'passed']);
    assert.ok(second.client.body.equals(octets));
    stuck.resolve(undefined);
    assert.ok((await first).client.body.equals(octets));
  }));

test('a fetch in which nothing comes holds one up once, and whoever comes later not at all', () =>
  withTemporaryDirectory(async (directory) => {
    const limits = { ...defaultLimits, cacheFollowQuietMs: 30 };
    await using test = await openTestCache(join(directory, 'cache'), { limits });
    const octets = archiveOf(200_000);
    const promised = promiseOf(octets);
    const stuck = Promise.withResolvers<undefined>();
    const origin = scriptedOrigin((_, count) => ({
      octets,
      pace: () => (count === 0 ? stuck.promise : undefined),
      isChunked: true,
    }));
    // Not even a head comes of the first.
    const forward: typeof origin.forward = async (request, receiver) => {
      if (origin.asked.length > 0) return await origin.forward(request, receiver);
      const { onHead } = receiver;
      const heads: Parameters<typeof onHead>[] = [];
      void stuck.promise.then(() => heads.forEach((head) => onHead.apply(receiver, head)));
      receiver.onHead = (...head) => void heads.push(head);
      return await origin.forward(request, receiver);
    };
    const first = fetchBy(test.cache, { forward }, { promised });
    const second = await fetchBy(test.cache, { forward }, { promised });
    assert.deepEqual(second.sources, ['joined', 'passed']);
    assert.deepEqual((await fetchBy(test.cache, { forward }, { promised })).sources, ['fetched']);
    stuck.resolve(undefined);
    assert.ok((await first).client.body.equals(octets));
  }));

test('what differs by a field that clients have is not kept', () =>
  withTemporaryDirectory(async (directory) => {
    await using test = await openTestCache(join(directory, 'cache'));
    const octets = archiveOf(1000);
    const promised = promiseOf(octets);
    for (const [at, vary] of ['Accept', 'origin, *', 'Accept-Encoding, User-Agent'].entries()) {
      const origin = scriptedOrigin(() => ({ octets, fields: ['vary', vary] }));
      await fetchBy(test.cache, origin, { promised, path: `/${String(at)}` });
      await fetchBy(test.cache, origin, { promised, path: `/${String(at)}` });
      assert.equal(origin.asked.length, 2, vary);
    }
    const origin = scriptedOrigin(() => ({ octets, fields: ['vary', 'Accept-Encoding, Origin'] }));
    await fetchBy(test.cache, origin, { promised });
    await isStored(test, 1);
  }));

test('what does not tell its length is never sent longer than what the rest of it says', () =>
  withTemporaryDirectory(async (directory) => {
    for (const [at, later] of [archiveOf(150_000), archiveOf(250_000), archiveOf(50_000)].entries()) {
      await using test = await openTestCache(join(directory, String(at)));
      const octets = archiveOf(200_000);
      const origin = scriptedOrigin((_, count) =>
        count === 0 ? { octets, breaksAt: 100_000 } : { octets: later, isChunked: count % 2 === 0 },
      );
      const promised = promiseOf(octets);
      const clients = [0, 1, 2].map(() => new ScriptedClient());
      const all = await Promise.allSettled(
        clients.map((client) => fetchBy(test.cache, origin, { promised, client })),
      );
      assert.deepEqual(
        all.map(({ status }) => status),
        ['rejected', 'rejected', 'rejected'],
      );
      for (const client of clients) assert.ok(client.octets <= octets.length && !client.isComplete);
    }
  }));

test('a process that is killed while it writes leaves nothing that is not whole, and what it had begun goes', () =>
  withTemporaryDirectory(async (directory) => {
    const path = join(directory, 'cache');
    const program = fileURLToPath(new URL('../support/cache-process.ts', import.meta.url));
    let had = 0;
    for (const at of [3, 5, 8]) {
      const child = spawn(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', program, path, String(had)],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      const ended = once(child, 'close');
      let lines = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        had = Math.max(had, Number(line));
        if ((lines += 1) === at) child.kill('SIGKILL');
      }
      await ended;
      assert.ok(lines >= at);
      await using test = await openTestCache(path);
      const { damaged, archives } = await verifyCache(test.folder, {
        signal: new AbortController().signal,
        onRead: () => undefined,
      });
      assert.deepEqual(damaged, []);
      assert.ok(archives >= had, `${String(archives)} of ${String(had)}`);
      await test.folder.sweep();
      assert.deepEqual(await readdir(join(path, 'temporary')), []);
      const octets = archiveOf(killedBytes, '/1');
      const refused = scriptedOrigin(() => assert.fail('the origin is asked'));
      const { sources, client } = await fetchBy(test.cache, refused, {
        path: '/1',
        promised: promiseOf(octets),
      });
      assert.deepEqual(sources, ['hit']);
      assert.ok(client.body.equals(octets));
    }
  }));

describe('a disk that is full', () => {
  const mounted = async (): Promise<AsyncDisposable & { readonly path: string }> => {
    const { path, [Symbol.asyncDispose]: remove } = await temporaryDirectory();
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=700', 'tmpfs', path], {
      encoding: 'utf8',
    });
    if (status !== 0) {
      await remove();
      throw new Error(stderr);
    }
    return {
      path,
      [Symbol.asyncDispose]: async () => {
        spawnSync('umount', ['-l', path]);
        await remove();
      },
    };
  };
  const probe = process.getuid?.() === 0 ? spawnSync('unshare', ['-m', 'true']).status : 1;
  const skip = probe === 0 ? false : 'a file system cannot be mounted here';

  test(
    'ends nothing: archives pass, it is told once, and what has room later is kept',
    { skip },
    async () => {
      await using disk = await mounted();
      let nowMs = Date.now();
      await using test = await openTestCache(join(disk.path, 'cache'), { clock: () => nowMs });
      // A disk may say that it has room, and take nothing.
      test.folder.disk = () => Promise.resolve({ bytes: Infinity, freeBytes: Infinity });
      const octets = archiveOf(5 * MiB);
      const origin = scriptedOrigin((path) => ({
        octets: path === '/small' ? octets.subarray(0, MiB) : octets,
      }));
      const promised = promiseOf(octets);
      const clients = [1, 2, 3].map(() => fetchBy(test.cache, origin, { promised }));
      for (const { client } of await Promise.all(clients)) assert.ok(client.body.equals(octets));
      assert.deepEqual((await fetchBy(test.cache, origin, { promised, path: '/b' })).sources, ['passed']);
      assert.equal(test.unwritable.length, 1);
      assert.match(test.unwritable[0] ?? '', /no space is left/);
      assert.deepEqual(await filesIn(test.folder), []);
      nowMs += defaultLimits.cacheRetryMs;
      const small = { path: '/small', promised: promiseOf(octets.subarray(0, MiB)) };
      assert.deepEqual((await fetchBy(test.cache, origin, small)).sources, ['fetched']);
      await isStored(test, 1);
      assert.deepEqual((await fetchBy(test.cache, origin, small)).sources, ['hit']);
      // The cache has less room since, and stops there: the disk has not failed again.
      const { sources, client } = await fetchBy(test.cache, origin, { promised });
      assert.deepEqual(sources, ['fetched', 'passed']);
      assert.ok(client.body.equals(octets));
      assert.equal(test.unwritable.length, 1);
    },
  );

  test('leaves others their part of it, whatever the cache may keep', { skip }, async () => {
    await using disk = await mounted();
    await using test = await openTestCache(join(disk.path, 'cache'), { keepBytes: 16 * MiB });
    const octetsOf = (path: string): Buffer => archiveOf(100_000, path);
    const origin = scriptedOrigin((path) => ({ octets: octetsOf(path) }));
    for (let count = 1; count <= 40; count += 1) {
      const path = `/${String(count)}`;
      await fetchBy(test.cache, origin, { path, promised: promiseOf(octetsOf(path)) });
      await isStored(test, count);
    }
    assert.ok((test.counts.get('left') ?? 0) > 0);
    await writeFile(join(disk.path, 'audit'), Buffer.alloc(MiB / 4 - 65_536));
    assert.deepEqual(test.unwritable, []);
  });
});

test('an archive that is longer than may be kept passes, whether it says so or not', () =>
  withTemporaryDirectory(async (directory) => {
    const limits = { ...defaultLimits, cachedArchiveBytesMax: 100_000 };
    await using test = await openTestCache(join(directory, 'cache'), { limits });
    const octets = archiveOf(300_000);
    const promised = promiseOf(octets);
    for (const isChunked of [true, false]) {
      const origin = scriptedOrigin(() => ({ octets, isChunked }));
      const { client } = await fetchBy(test.cache, origin, { promised });
      assert.ok(client.body.equals(octets));
    }
    assert.equal(test.counts.get('stored'), undefined);
    assert.deepEqual(test.unwritable, []);
  }));

/** What an origin may do with a request. `CACHE_WORLDS` says how many worlds are tried. */
const deeds = ['whole', 'whole', 'whole', 'chunked', 'breaks', 'altered', 'missing', 'private'] as const;

async function oneWorld(seed: number): Promise<void> {
  await using directory = await temporaryDirectory();
  const random = seeded(seed);
  const below = (max: number): number => Math.floor(random() * max);
  const pause = async (): Promise<void> => {
    for (let turn = below(6); turn > 0; turn -= 1) await setImmediate();
  };
  const held = new HeldOctets();
  await using test = await openTestCache(join(directory.path, 'cache'), { keepBytes: MiB / 2, held });
  const archives = ['/a', '/b', '/c'].map((path) => ({ path, octets: archiveOf(1 + below(120_000), path) }));
  let faults = 0;
  let alterations = 0;
  const origin = scriptedOrigin((path) => {
    const octets = archives.find((one) => one.path === path)?.octets ?? assert.fail();
    const deed = deeds[below(deeds.length)] ?? 'whole';
    // Who has the beginning already and is told that there is nothing cannot go on.
    if (deed === 'breaks' || deed === 'missing') faults += 1;
    if (deed === 'altered') alterations += 1;
    if (deed === 'missing') return { status: 404, octets: Buffer.from('not here') };
    const altered = Buffer.from(octets);
    altered[below(octets.length)] = 0;
    return {
      octets: deed === 'altered' ? altered : octets,
      isChunked: deed === 'chunked',
      ...(deed === 'breaks' ? { breaksAt: below(octets.length) } : {}),
      ...(deed === 'private' ? { fields: ['cache-control', 'private'] } : {}),
      pace: pause,
    };
  });
  let [failed, different] = [0, 0];
  const one = async (): Promise<void> => {
    const { path, octets } = archives[below(archives.length)] ?? assert.fail();
    const leaving = new AbortController();
    const client = new ScriptedClient(() => (below(3) === 0 ? pause() : undefined));
    const promised = promiseOf(octets);
    if (below(4) === 0) void pause().then(() => leaving.abort());
    try {
      const { sources } = await fetchBy(test.cache, origin, {
        path,
        promised,
        client,
        signal: leaving.signal,
        sessionId: `s${String(below(8))}`,
      });
      if (client.status === 404) return;
      assert.equal(client.status, 200);
      assert.ok(client.isComplete);
      if (client.body.equals(octets)) return;
      // It goes on to a check that finds it, and never comes from the disk.
      different += 1;
      assert.notEqual(sources.at(-1), 'hit');
    } catch (error) {
      if (leaving.signal.aborted) return;
      assert.equal((error as { code?: unknown }).code, 'origin_truncated', String(error));
      failed += 1;
    }
  };
  const requests: Promise<void>[] = [];
  for (let count = 0; count < 24; count += 1) {
    requests.push(one());
    await pause();
    // Another process, or a person, takes a file away.
    if (below(10) === 0)
      for (const { path } of await filesIn(test.folder)) if (below(2) === 0) await rm(path, { force: true });
  }
  await Promise.all(requests);
  await test.cache[Symbol.asyncDispose]();
  assert.ok(failed <= faults, `seed ${String(seed)}: ${String(failed)} failed by ${String(faults)} faults`);
  if (alterations === 0) assert.equal(different, 0, `seed ${String(seed)}`);
  assert.equal(held.all, 0);
  assert.deepEqual([test.faults, test.unwritable], [[], []]);
  const { damaged } = await verifyCache(test.folder, {
    signal: new AbortController().signal,
    onRead: () => undefined,
  });
  assert.deepEqual(damaged, []);
  assert.deepEqual(await readdir(join(directory.path, 'cache', 'temporary')), []);
}

test('however requests, breaks, aborts and files that leave meet: nobody pays for another, and nothing wrong stays', async () => {
  const worlds = Number(process.env['CACHE_WORLDS'] ?? 8);
  for (let seed = 1; seed <= worlds; seed += 1) await oneWorld(seed);
});
