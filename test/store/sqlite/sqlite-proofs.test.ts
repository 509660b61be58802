import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';

import { openStore } from '../../../src/store/open-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const bounds = { proofsPerKeyMax: 3, proofsMax: 5 };

function remember(store: Store, proof: string, nowMs: number): Promise<'new' | 'seen' | 'full'> {
  const [keyThumbprint = '', jti = ''] = proof.split(' ');
  return store.proofs.remember({ keyThumbprint, jti, expiresMs: nowMs + 100 }, { nowMs, ...bounds });
}

test('proofs count once, are bounded for a key and in all, and make room when they expire', async () => {
  await using store = await openStore('sqlite::memory:');
  const asked = ['a 1', 'a 1', 'a 2', 'a 3', 'a 4', 'b 1', 'b 2', 'c 1'];
  const outcomes = [];
  for (const proof of asked) outcomes.push(await remember(store, proof, 0));
  assert.deepEqual(outcomes, ['new', 'seen', 'new', 'new', 'full', 'new', 'new', 'full']);
  for (const [round, proof] of ['a 1', 'b 1', 'b 2', 'b 3', 'c 1', 'c 2'].entries())
    assert.equal(await remember(store, proof, 100), round < 5 ? 'new' : 'full', proof);
  assert.equal(await store.proofs.prune(200), 5);
  assert.equal(await remember(store, 'c 2', 200), 'new');
});

test('what another process makes room for is free here, and nobody is refused for a number of before', async () => {
  await withTemporaryDirectory(async (directory) => {
    const url = `sqlite:${join(directory, 'state.db')}`;
    await using store = await openStore(url);
    await using other = await openStore(url);
    for (const proof of ['a 1', 'a 2', 'b 1', 'b 2', 'c 1'])
      assert.equal(await remember(store, proof, 0), 'new');
    assert.equal(await other.proofs.prune(100), 5);
    // At a time at which they had not expired: only a look at the file tells that they are gone.
    assert.equal(await remember(store, 'd 1', 50), 'new');
  });
});
