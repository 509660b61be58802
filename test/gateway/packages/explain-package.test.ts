// Versions of packages that a person asks about: as the policy decides about their archives, in the words of denials.

import assert from 'node:assert/strict';
import type { AdvisoryLevel, PackageAdvisories } from '../../../src/understand/packages/advisory.ts';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import { type AskedVersion, explainPackage } from '../../../src/gateway/packages/explain-package.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { nowMs, policyOf, principal } from '../../policy/fixture.ts';

const policy = policyOf(`
rules:
  - name: npm
    hosts: npm.test
    packages:
      registry: npm
      minAge: 3d
      deny: [left-pad, "lodash@<4.17.20"]
      exceptions: [{ package: lodash@5.0.1, reason: A fix., until: 2031-01-01T00:00:00Z }]
  - name: mirror
    hosts: [a.test, b.test]
    packages: { registry: npm, index: "https://a.test/npm/", allow: "@acme/*" }
  - name: python
    hosts: [pypi.test, files.test]
    packages: { registry: pypi, index: "https://pypi.test/", minAge: 3d }
  - name: modules
    hosts: "*.go.test"
    packages: { registry: go }
`);
const dayMs = 86_400_000;

function explain(written: string, changes: Partial<AskedVersion> = {}) {
  const root = { scheme: 'https', host: 'npm.test', port: 443, path: '' } as const;
  const asked: AskedVersion = {
    registry: 'npm',
    written,
    root,
    metadata: undefined,
    publishedMs: undefined,
    limits: defaultLimits,
    ...changes,
  };
  return explainPackage(policy, asked, { principal: principal(), nowMs }).map(
    ({ at, name, version, file, isAllowed, isAgeAwaited, explanation }) => ({
      at,
      what: file ?? (version === undefined ? name : `${name}@${version}`),
      isAllowed,
      isAgeAwaited,
      why:
        explanation.decision.effect === 'deny' ? explanation.decision.reason : explanation.decision.rule.name,
    }),
  );
}

const table: readonly (readonly [
  string,
  Partial<AskedVersion>,
  { isAllowed: boolean; why: string | RegExp },
])[] = [
  ['lodash@4.17.21', { publishedMs: nowMs - 4 * dayMs }, { isAllowed: true, why: 'npm' }],
  [
    'lodash@4.17.21',
    { publishedMs: nowMs - 2 * dayMs },
    {
      isAllowed: false,
      why: 'No rule allows lodash@4.17.21. The rule npm waits: lodash@4.17.21 was published at 2029-12-30T00:00Z and is allowed from 2030-01-02T00:00Z, when it is 3d old.',
    },
  ],
  ['lodash@5.0.1', { publishedMs: nowMs }, { isAllowed: true, why: 'npm' }],
  [
    'lodash@4.17.1',
    { publishedMs: 0 },
    { isAllowed: false, why: /^No rule allows lodash@4\.17\.1\. .*is in its deny \(lodash@<4\.17\.20\)\.$/ },
  ],
  ['left-pad', {}, { isAllowed: false, why: /left-pad is in its deny/ }],
  ['lodash', {}, { isAllowed: true, why: 'npm' }],
  ['Left-Pad@1.0.0', { publishedMs: 0 }, { isAllowed: false, why: /./ }],
];

for (const [written, changes, expected] of table)
  test(`${written} ${JSON.stringify(changes)}`, () => {
    const [one, ...others] = explain(written, changes);
    assert.deepEqual(others, []);
    assert.equal(one?.isAllowed, expected.isAllowed);
    assert.equal(one?.isAgeAwaited, false);
    if (expected.why instanceof RegExp) assert.match(one?.why ?? '', expected.why);
    else assert.equal(one?.why, expected.why);
  });

test('where nobody says when it came out, it is too young, and it is told that this decides', () => {
  const [one] = explain('lodash@4.17.21');
  assert.deepEqual([one?.isAllowed, one?.isAgeAwaited], [false, true]);
  assert.match(one?.why ?? '', /nobody knows when lodash@4\.17\.21 was published/);
  const [denied] = explain('lodash@4.17.1');
  assert.deepEqual([denied?.isAllowed, denied?.isAgeAwaited], [false, false]);
});

test('without an index it is asked about at each registry that the policy names', () => {
  assert.deepEqual(
    explain('@acme/app@1.0.0', { root: undefined, publishedMs: 0 }).map(({ at, isAllowed }) => [
      at,
      isAllowed,
    ]),
    [
      ['https://npm.test/', true],
      ['https://a.test/npm/', true],
    ],
  );
  const [, mirrored] = explain('lodash@4.17.21', { root: undefined, publishedMs: 0 });
  assert.equal(
    mirrored?.why,
    'No rule allows lodash@4.17.21. The rule mirror does not: lodash@4.17.21 is not in its allow.',
  );
  assert.throws(() => explain('example.test/m@v1.0.0', { registry: 'go', root: undefined }), /--index/);
});

const packument = Buffer.from(
  JSON.stringify({
    name: 'lodash',
    'dist-tags': { latest: '5.0.1' },
    versions: Object.fromEntries(
      ['4.17.1', '4.17.21', '5.0.0', '5.0.1'].map((version) => [version, { name: 'lodash', version }]),
    ),
    time: {
      '4.17.1': '2019-01-01T00:00:00Z',
      '4.17.21': '2021-01-01T00:00:00Z',
      '5.0.0': '2029-12-31T00:00:00Z',
      '5.0.1': '2029-12-31T00:00:00Z',
    },
  }),
);

test('by what the registry tells, every version, or the one that is asked about', () => {
  assert.deepEqual(
    explain('lodash', { metadata: packument }).map(({ what, isAllowed }) => [what, isAllowed]),
    [
      ['lodash@4.17.1', false],
      ['lodash@4.17.21', true],
      ['lodash@5.0.0', false],
      ['lodash@5.0.1', true],
    ],
  );
  const [young, ...others] = explain('lodash@5.0.0', { metadata: packument });
  assert.deepEqual(others, []);
  assert.match(young?.why ?? '', /published at 2029-12-31T00:00Z and is allowed from 2030-01-03T00:00Z/);
  assert.throws(() => explain('lodash@9.0.0', { metadata: packument }), /has no version 9\.0\.0/);
  assert.throws(() => explain('lodash', { metadata: packument.subarray(1) }), /cannot be read/);
});

test('of PyPI each file has its own time, and a version is found in every spelling', () => {
  const file = (filename: string, time: string) => ({
    filename,
    'upload-time': time,
    hashes: {},
    url: filename,
  });
  const metadata = Buffer.from(
    JSON.stringify({
      meta: { 'api-version': '1.1' },
      name: 'example-pkg',
      files: [
        file('example_pkg-1.0.tar.gz', '2020-01-01T00:00:00Z'),
        file('example_pkg-1.0-py3-none-any.whl', '2029-12-31T00:00:00Z'),
        file('example_pkg-2.0.tar.gz', '2020-01-01T00:00:00Z'),
      ],
    }),
  );
  const root = { scheme: 'https', host: 'pypi.test', port: 443, path: '' } as const;
  const found = explain('Example.Pkg@1.0.0', { registry: 'pypi', root, metadata });
  assert.deepEqual(
    found.map(({ what, isAllowed }) => [what, isAllowed]),
    [
      ['example_pkg-1.0.tar.gz', true],
      ['example_pkg-1.0-py3-none-any.whl', false],
    ],
  );
});

test('what names no package or no version is refused', () => {
  for (const written of ['lodash@latest', '../x@1.0.0', 'a b@1.0.0', '%2e%2e@1.0.0', '@1.0.0', ''])
    assert.throws(() => explain(written), /names no package|is no version/, written);
});

test('what is known against a version is said by its id; without an index nothing comes', () => {
  const advised = policyOf(
    'rules: [{ name: npm, hosts: npm.test, packages: { registry: npm, malware: deny } }]',
  );
  const asked = {
    registry: 'npm',
    written: 'lodash@1.0.0',
    root: undefined,
    metadata: undefined,
    publishedMs: undefined,
    limits: defaultLimits,
  } as const;
  const why = (advisories?: PackageAdvisories): string => {
    const [one] = explainPackage(advised, { ...asked, advisories }, { principal: principal(), nowMs });
    return one?.explanation.decision.effect === 'deny' ? one.explanation.decision.reason : 'allow';
  };
  const of = (level: AdvisoryLevel): PackageAdvisories => ({
    covers: () => true,
    find: () => [{ ids: ['MAL-1'], level }],
  });
  assert.match(why(of('malware')), /lodash@1\.0\.0 is malware \(MAL-1\)/);
  assert.equal(why(of('critical')), 'allow');
  assert.match(why(), /no index of advisories about packages of npm/);
});
