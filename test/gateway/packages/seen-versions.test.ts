import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SeenVersions } from '../../../src/gateway/packages/seen-versions.ts';
import type { FirstSeen, FirstSeenStore, SeenOwner } from '../../../src/store/first-seen-store.ts';
import { memoryFirstSeen } from '../../support/first-seen-store.ts';

const root = { scheme: 'https', host: 'proxy.example.com', port: 443, path: '/' } as const;
const asked = {
  registry: 'go',
  root,
  name: 'example.com/a',
  written: 'example.com/a',
  credentials: [],
} as const;

const owner = (sessionId: string): SeenOwner => ({ sessionId, principalId: 'p' });

test('a long list is stored in parts, and others have a turn between them', async () => {
  const parts: { readonly items: number; readonly turn: number }[] = [];
  let turn = 0;
  // As SQLite: it has responded before anything else runs.
  const note = (items: readonly unknown[]): Promise<ReadonlyMap<string, FirstSeen>> => {
    parts.push({ items: items.length, turn });
    return Promise.resolve(new Map<string, FirstSeen>());
  };
  const store: FirstSeenStore = {
    ...memoryFirstSeen(),
    find: (_, items) => note(items),
    see: (_, items) => note(items),
  };
  const seen = new SeenVersions(store, () => 1000);
  let isDone = false;
  const count = (): void => {
    turn += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const versions = Array.from({ length: 500 }, (_, at) => `v1.0.${at}`);
  await seen.find(asked, versions);
  await seen.see(
    asked,
    versions.map((item) => ({ item })),
    owner('session'),
  );
  isDone = true;
  assert.deepEqual(
    parts.map(({ items }) => items),
    [200, 200, 100, 200, 200, 100, 200, 200, 100],
  );
  for (const at of [1, 2, 4, 5, 7, 8]) assert.ok(parts[at]!.turn > parts[at - 1]!.turn);
});

test('what is known is not stored again, but for a promise that is new', async () => {
  const memory = memoryFirstSeen();
  const stored: string[] = [];
  const store: FirstSeenStore = {
    ...memory,
    see: (of, items, bounds) => {
      stored.push(...items.map(({ item, digest = '' }) => `${item} ${digest} for ${bounds.owner.sessionId}`));
      return memory.see(of, items, bounds);
    },
  };
  const seen = new SeenVersions(store, () => 1000);
  const first = await seen.see(asked, [{ item: 'v1' }, { item: 'v2', digest: 'x' }], owner('one'));
  assert.deepEqual([...first.keys()], ['v1', 'v2']);
  const again = await seen.see(
    asked,
    [{ item: 'v1' }, { item: 'v2', digest: 'y' }, { item: 'v3' }],
    owner('other'),
  );
  assert.deepEqual([...again.keys()], ['v1', 'v2', 'v3']);
  await seen.see(asked, [{ item: 'v1', digest: 'z' }], owner('other'));
  assert.deepEqual(stored, ['v1  for one', 'v2 x for one', 'v3  for other', 'v1 z for other']);
});
