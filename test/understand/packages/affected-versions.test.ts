// Which versions an advisory is about, beside the algorithm as OSV writes it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type AffectedVersions,
  hasPlace,
  orderedVersion,
  placedVersions,
  placeOf,
  type RangeEvent,
  sortedVersions,
} from '../../../src/understand/packages/affected-versions.ts';
import type { PackageRegistry } from '../../../src/understand/packages/package-request.ts';
import { versionOrders } from '../../../src/understand/packages/version-order.ts';

/** `npm run test:packages` tries more. */
const runs = process.env['TEST_REGISTRIES'] === undefined ? 40 : 1000;

function isAffected(affected: AffectedVersions, version: string, registry: PackageRegistry): boolean {
  const sorted = sortedVersions([affected], registry);
  const { bounds } = sorted;
  const { places, odd } = placedVersions(affected, sorted);
  const ordered = orderedVersion(version, registry);
  return (
    odd.includes(version) || (ordered !== undefined && hasPlace(places, placeOf(ordered, bounds, registry)))
  );
}

/** https://ossf.github.io/osv-schema/#evaluation, line by line. */
function isAffectedByOsv(
  { ranges, versions }: AffectedVersions,
  version: string,
  registry: PackageRegistry,
): boolean {
  const compare = (a: string, b: string): number => {
    if (b === '0') return 1;
    return versionOrders[registry].compare(a, b)!;
  };
  if (versions.some((one) => compare(version, one) === 0)) return true;
  return ranges.some((events) => {
    const limits = events.flatMap(({ limit }) => (limit === undefined ? [] : [limit]));
    if (limits.length > 0 && !limits.some((limit) => limit === '*' || compare(version, limit) < 0))
      return false;
    const textOf = ({ introduced, fixed, last_affected: last }: RangeEvent): string =>
      introduced ?? fixed ?? last ?? '';
    const others = events.filter(({ limit }) => limit === undefined);
    const sorted = others.toSorted((a, b) => {
      const [one, other] = [textOf(a), textOf(b)];
      if (one === '0' || other === '0') return one === other ? 0 : one === '0' ? -1 : 1;
      return versionOrders[registry].compare(one, other) ?? 0;
    });
    let isVulnerable = false;
    for (const { introduced, fixed, last_affected: last } of sorted) {
      if (introduced !== undefined && compare(version, introduced) >= 0) isVulnerable = true;
      else if (fixed !== undefined && compare(version, fixed) >= 0) isVulnerable = false;
      else if (last !== undefined && compare(version, last) > 0) isVulnerable = false;
    }
    return isVulnerable;
  });
}

const numbers = fc
  .array(fc.integer({ min: 0, max: 3 }), { minLength: 3, maxLength: 3 })
  .map((all) => all.join('.'));
const semver = fc
  .tuple(numbers, fc.constantFrom('', '-rc.1', '-rc.2', '-alpha'))
  .map((parts) => parts.join(''));
const versionsOf: Partial<Record<PackageRegistry, fc.Arbitrary<string>>> = {
  npm: semver,
  cargo: semver,
  go: semver.map((one) => `v${one}`),
  pypi: fc
    .tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom('', '.0', '.1', '.1.0'),
      fc.constantFrom('', 'a1', 'rc1', '.post1', '.dev1'),
    )
    .map((parts) => parts.join('')),
  maven: fc
    .tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom('', '.0', '.1', '.1.2'),
      fc.constantFrom('', '-alpha', '-rc1', '-SNAPSHOT', '.Final'),
    )
    .map((parts) => parts.join('')),
  rubygems: fc
    .tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom('', '.0', '.1', '.1.2'),
      fc.constantFrom('', '.pre', '.rc1', '.beta2'),
    )
    .map((parts) => parts.join('')),
};

describe('as OSV says it, in the order of each registry', () => {
  for (const [registry, version] of Object.entries(versionsOf) as [PackageRegistry, fc.Arbitrary<string>][])
    test(registry, () => {
      const event: fc.Arbitrary<RangeEvent> = fc.oneof(
        { weight: 3, arbitrary: fc.oneof(version, fc.constant('0')).map((introduced) => ({ introduced })) },
        { weight: 3, arbitrary: version.map((fixed) => ({ fixed })) },
        { weight: 2, arbitrary: version.map((last) => ({ last_affected: last })) },
        { weight: 1, arbitrary: fc.oneof(version, fc.constant('*')).map((limit) => ({ limit })) },
      );
      // A range has to say where it begins.
      const range = fc
        .array(event, { minLength: 1, maxLength: 6 })
        .map((events) =>
          events.some((one) => one.introduced !== undefined) ? events : events.concat({ introduced: '0' }),
        );
      const affected = fc.record({
        ranges: fc.array(range, { maxLength: 3 }),
        versions: fc.array(version, { maxLength: 3 }),
      });
      let count = 0;
      fc.assert(
        fc.property(affected, fc.array(version, { minLength: 8, maxLength: 8 }), (one, asked) => {
          for (const each of asked) {
            const expected = isAffectedByOsv(one, each, registry);
            if (expected) count += 1;
            assert.equal(isAffected(one, each, registry), expected, `${each} of ${JSON.stringify(one)}`);
          }
        }),
        { seed: 20, numRuns: runs },
      );
      assert.ok(count > runs, 'many of the versions are affected');
    });
});

test('spellings of a registry', () => {
  const until = (fixed: string): AffectedVersions => ({
    ranges: [[{ introduced: '0' }, { fixed }]],
    versions: [],
  });
  const listed = (...versions: readonly string[]): AffectedVersions => ({ ranges: [], versions });
  for (const [registry, affected, version, expected] of [
    // Versions of Go have no v in advisories.
    ['go', until('1.2.3'), 'v1.2.2', true],
    ['go', until('1.2.3'), 'v1.2.3', false],
    ['go', until('1.2.3'), 'v1.2.3-0.20300102030405-0123456789ab', true],
    ['go', listed('2.0.0'), 'v2.0.0+incompatible', true],
    ['npm', until('2'), '1.9.9', true],
    ['npm', until('2'), '2.0.0', false],
    ['npm', listed('1.2.3'), '1.2.3+build.7', true],
    ['pypi', listed('1.0'), '1.0.0', true],
    ['pypi', listed('1.0'), 'v1.0+cu118', true],
    [
      'pypi',
      { ranges: [[{ introduced: '0' }, { last_affected: '2.0' }]], versions: [] },
      '2.0.0+cu118',
      true,
    ],
    ['pypi', until('2.0'), '2.0+cu118', false],
    ['pypi', listed('2004d'), '2004d', true],
    ['maven', until('1.0'), '1.0-SNAPSHOT', true],
    ['maven', until('1.0'), '1.0.Final', false],
    ['rubygems', until('5.0.0'), '5.0.0.rc2', true],
  ] as const)
    assert.equal(
      isAffected(affected, version, registry),
      expected,
      `${version} of ${JSON.stringify(affected)}`,
    );
});

test('what cannot be read makes a range wider, never smaller', () => {
  const of = (...events: readonly RangeEvent[]): AffectedVersions => ({ ranges: [events], versions: [] });
  for (const affected of [
    of({ introduced: 'what?' }, { fixed: '2.0.0' }),
    of({ introduced: '0' }, { fixed: 'what?' }),
    of({ introduced: '0' }, { last_affected: 'what?' }),
    of({ introduced: '0' }, { limit: 'what?' }),
    of({ fixed: '2.0.0' }),
    { ranges: [], versions: [], isWhole: true } as const,
  ])
    assert.equal(isAffected(affected, '1.0.0', 'npm'), true, JSON.stringify(affected));
});
