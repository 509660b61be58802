import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openStore } from '../../src/store/open-store.ts';
import { postgresAddress, postgresLabel } from '../../src/store/postgres/postgres-address.ts';
import { raceConformance } from '../conformance/races.ts';
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

raceConformance(
  'sqlite in a file',
  async () => {
    const url = `sqlite:${join(directory, `${(stores += 1)}`, 'state.db')}`;
    const [one, other] = [await openStore(url), await openStore(url)];
    const end = async (): Promise<void> => void (await Promise.all([one.close(), other.close()]));
    return { one, other, [Symbol.asyncDispose]: end };
  },
  10,
);

test('a URL that cannot be used is refused with what to write, and its password is not repeated', async () => {
  for (const [url, message] of [
    ['postgres://user:canary@db.test/x', /has a password; name its source under store\.source/],
    ['postgresql://user:canary@db.test/x', /has a password/],
    ['postgres://user@db.test/x?password=canary', /takes no parameters/],
    ['postgres://db.test/canary', /a part of it is missing/],
    ['postgres://user@db.test', /a part of it is missing/],
    ['postgres://user@db.test/a/canary', /a part of it is missing/],
    ['postgres://user@db.test/%00canary', /a part of it is missing/],
    ['postgres://user@db.test:canary/x', /is no URL/],
    ['mysql:canary', /sqlite:\/path/],
    ['', /sqlite:\/path/],
  ] as const) {
    await assert.rejects(openStore(url), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'config_invalid');
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /canary|\n/);
      return true;
    });
  }
});

test('a URL of PostgreSQL is read whole', () => {
  const parts = { user: 'u', port: 5432, database: 'd' };
  for (const [url, expected] of [
    ['postgres://u@db.test/d', { ...parts, host: 'db.test' }],
    ['postgresql://u%40x@db.test:6000/d%20e', { user: 'u@x', host: 'db.test', port: 6000, database: 'd e' }],
    ['postgres://u@[::1]:6000/d', { ...parts, host: '::1', port: 6000 }],
    ['postgres://u@%2Frun%2Fpostgresql/d', { ...parts, host: '/run/postgresql' }],
  ] as const) {
    assert.deepEqual(postgresAddress(url), expected);
    assert.deepEqual(postgresAddress(postgresLabel(expected)), expected);
  }
});
