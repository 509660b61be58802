// What a release would change: versions in their order, and whether gateways of both can serve side by side.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Compatibility } from '../../../src/api/release-manifest.ts';
import { compareVersions, releaseChanges } from '../../../src/cli/operator/release-changes.ts';

test('versions are in the order of Semantic Versioning', () => {
  const ordered = [
    '0.9.10',
    '0.10.0',
    '1.0.0-alpha',
    '1.0.0-alpha.1',
    '1.0.0-alpha.beta',
    '1.0.0-beta',
    '1.0.0-beta.2',
    '1.0.0-beta.11',
    '1.0.0-rc.1',
    '1.0.0',
    '1.0.1',
    '2.0.0',
    '10.0.0',
  ];
  for (const [at, one] of ordered.entries())
    for (const [otherAt, other] of ordered.entries())
      assert.equal(Math.sign(compareVersions(one, other)), Math.sign(at - otherAt), `${one} ${other}`);
});

const facts = (schema: number, servesFrom = 1, migratesFrom = 1) => ({ schema, servesFrom, migratesFrom });
const own: Compatibility = { wire: ['a.v1', 'a.chunk'], store: { sqlite: facts(15), postgres: facts(9) } };
const changes = (next: Compatibility | undefined, version = '1.1.0') =>
  releaseChanges(
    { version: '1.0.0', compatibility: own },
    { name: 'upstreamproxy', version, compatibility: next },
  );

test('a newer one with the same schemas is rolled out one gateway after the other', () => {
  const { release, rolling, changes: said } = changes(own);
  assert.deepEqual([release, rolling], ['newer', true]);
  assert.match(said.join('\n'), /SQLite: the schema stays at version 15/);
});

for (const [what, next, rolling, sentence] of [
  [
    'adds to a schema',
    { ...own, store: { ...own.store, sqlite: facts(17) } },
    true,
    /SQLite: the schema goes from version 15 to 17; gateways of both versions can use it/,
  ],
  [
    'gives this version up',
    { ...own, store: { ...own.store, postgres: facts(12, 10) } },
    false,
    /PostgreSQL: .* 9 to 12, which this version cannot use\. End all gateways/,
  ],
  [
    'does not migrate from here',
    { ...own, store: { ...own.store, sqlite: facts(30, 20, 16) } },
    false,
    /migrates from 16 on\. Install a release in between/,
  ],
  ['speaks a subprotocol no more', { ...own, wire: ['a.v1', 'a.v2'] }, false, /do not speak a\.chunk/],
] as const) {
  test(`a newer one that ${what} is told as that`, () => {
    const { rolling: can, changes: said } = changes({ ...next, wire: [...next.wire] });
    assert.equal(can, rolling);
    assert.match(said.join('\n'), sentence);
  });
}

test('one that does not say what it changes is never called harmless', () => {
  assert.deepEqual(changes(undefined).rolling, undefined);
});

test('an older one and the same one change nothing', () => {
  assert.deepEqual(changes(own, '0.9.0'), { release: 'older', changes: [], rolling: undefined });
  assert.deepEqual(changes(own, '1.0.0'), { release: 'same', changes: [], rolling: undefined });
});
