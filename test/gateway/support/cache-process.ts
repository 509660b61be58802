// A process that stores archives one after the other, several at once, and says which ones are kept, until it is killed.

import { killedBytes, openTestCache } from './cache-scene.ts';
import { fetchBy, promiseOf, scriptedOrigin } from './scripted-origin.ts';

const [directory = '', had = '0'] = process.argv.slice(2);
const octetsOf = (path: string): Buffer => Buffer.alloc(killedBytes, path);
const origin = scriptedOrigin((path) => ({ octets: octetsOf(path), chunkBytes: 30_000 }));
const test = await openTestCache(directory);
for (let next = Number(had) + 1; ; next += 3) {
  const stored = test.counts.get('stored') ?? 0;
  await Promise.all(
    [0, 1, 2].map(async (at) => {
      const path = `/${String(next + at)}`;
      await fetchBy(test.cache, origin, { path, promised: promiseOf(octetsOf(path)) });
    }),
  );
  while ((test.counts.get('stored') ?? 0) < stored + 3) await new Promise((resolve) => setImmediate(resolve));
  process.stdout.write(`${String(next)}\n${String(next + 1)}\n${String(next + 2)}\n`);
}
