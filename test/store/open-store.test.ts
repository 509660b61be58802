import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openStore } from '../../src/store/open-store.ts';
import { storeConformance } from '../conformance/store.ts';

let directory = '';
let stores = 0;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'upstreamproxy-store-'));
});
after(() => rm(directory, { recursive: true }));

storeConformance('sqlite in memory', () => openStore('sqlite::memory:'));
storeConformance('sqlite in a file', () =>
  openStore(`sqlite:${join(directory, `${(stores += 1)}`, 'state.db')}`),
);

test('a PostgreSQL URL is refused with what works instead, and its password is not repeated', async () => {
  for (const url of [
    'postgres://user:canary@db.test/x',
    'postgresql://user:canary@db.test/x',
    'mysql:canary',
    '',
  ]) {
    await assert.rejects(openStore(url), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'config_invalid');
      assert.match(error.message, /sqlite:\/path/);
      assert.doesNotMatch(error.message, /canary/);
      return true;
    });
  }
});
