import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Migration, nextMigration } from '../../src/store/schema-version.ts';

const migration = (version: number, servesFrom: number): Migration => ({ version, servesFrom, script: '' });
const migrations = [migration(3, 3), migration(4, 3), migration(5, 4)];
const refused = (message: RegExp) => ({ name: 'ProxyError', code: 'store_unavailable', message });

test('an empty store begins with the first migration, an older one with that after its own', () => {
  assert.equal(nextMigration(undefined, migrations)?.version, 3);
  assert.equal(nextMigration({ version: 3, servesFrom: 3 }, migrations)?.version, 4);
  assert.equal(nextMigration({ version: 4, servesFrom: 3 }, migrations)?.version, 5);
  assert.equal(nextMigration({ version: 5, servesFrom: 4 }, migrations), undefined);
});

test('a newer store is used as it is while it serves this program, and refused from then on', () => {
  assert.equal(nextMigration({ version: 6, servesFrom: 5 }, migrations), undefined);
  assert.throws(
    () => nextMigration({ version: 7, servesFrom: 6 }, migrations),
    refused(/^The store has schema version 7, this program knows versions up to 5.*Run the newer program/),
  );
});

test('a store from before the first migration is refused with the way to go', () => {
  for (const version of [2, 0, -1])
    assert.throws(
      () => nextMigration({ version, servesFrom: version }, migrations),
      refused(/migrates stores from version 3 on\. Open it once with a release in between/),
    );
});
