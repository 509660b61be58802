// What went into a session, by the events of its audit, in any order; and the same as a bill of materials.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../../src/api/audit-event.ts';
import { cycloneDx, packageUrl } from '../../src/gateway/packages/cyclonedx.ts';
import { PackageBill, type SessionPackages } from '../../src/api/package-bill.ts';
import { billEvents, checkedDigest } from '../support/package-events.ts';

function billOf(events: readonly AuditEvent[]): SessionPackages {
  const bill = new PackageBill();
  for (const event of events) bill.note(event);
  return bill.of('s');
}

const place = { registry: 'npm', host: 'npm.test' };
const expected: SessionPackages = {
  session: 's',
  packages: [
    {
      ...place,
      name: '@acme/app',
      version: '1.0.0',
      digest: checkedDigest,
      published: '2029-12-01T00:00:00.000Z',
      fetched: '2030-01-01T00:00:02.000Z',
      requests: 2,
      rule: 'npm',
    },
    {
      ...place,
      name: 'lodash',
      version: '4.17.21',
      installScripts: 'yes',
      fetched: '2030-01-01T00:00:04.000Z',
      requests: 1,
      rule: 'npm',
    },
  ],
  hidden: [{ ...place, name: 'lodash', count: 3, versions: ['5.0.0', '5.0.1'] }],
  refused: [{ ...place, name: 'lodash', version: '5.0.1', requests: 3, because: 'The rule npm waits.' }],
};

test('what came, what was hidden and what was refused, in whichever order events are read', () => {
  assert.deepEqual(billOf(billEvents), expected);
  const { hidden, ...reversed } = billOf(billEvents.toReversed());
  const { hidden: _, ...others } = expected;
  assert.deepEqual(reversed, others);
  assert.deepEqual(hidden[0]?.versions.toSorted(), ['5.0.0', '5.0.1']);
});

test('two files of one version are two rows, and a list of a version that is none of it is no package', () => {
  const first = billEvents.find((one) => one.package?.digest !== undefined);
  assert.ok(first?.package !== undefined);
  const file = (digest: string) => ({ ...first, package: { ...first.package, digest } }) as AuditEvent;
  assert.equal(billOf([file('sha512-AAAA'), file('sha512-BBBB')]).packages.length, 2);
  const { isArchive: _, ...description } = first.package;
  assert.deepEqual(billOf([{ ...first, package: description } as AuditEvent]).packages, []);
  for (const other of [
    { status: 304 },
    { status: 500 },
    { method: 'HEAD' },
    { verdict: 'error' },
    { kind: 'alarm' },
  ])
    assert.deepEqual(billOf([{ ...first, ...other } as AuditEvent]).packages, [], JSON.stringify(other));
});

const urls: readonly (readonly [Partial<SessionPackages['packages'][0]>, string])[] = [
  [{}, 'pkg:npm/lodash@4.17.21'],
  [{ name: '@acme/app', version: '1.0.0-rc.1+build 5' }, 'pkg:npm/%40acme/app@1.0.0-rc.1%2Bbuild%205'],
  [{ registry: 'pypi', name: 'example-pkg', version: '1!2.0' }, 'pkg:pypi/example-pkg@1!2.0'],
  [{ registry: 'cargo', name: 'serde' }, 'pkg:cargo/serde@4.17.21'],
  [{ registry: 'go', name: 'example.test/m/v2', version: 'v2.0.0' }, 'pkg:golang/example.test/m/v2@v2.0.0'],
  [{ registry: 'maven', name: 'com.example:lib', version: '1.0' }, 'pkg:maven/com.example/lib@1.0'],
  [{ registry: 'rubygems', name: 'rails', version: '7.0' }, 'pkg:gem/rails@7.0'],
  [
    { registry: 'oci', host: 'oci.test', name: 'team/app', version: 'sha256:00ff' },
    'pkg:oci/app@sha256:00ff?repository_url=oci.test%2Fteam%2Fapp',
  ],
  [
    { registry: 'oci', host: 'oci.test', name: 'team/app', version: '1.0' },
    'pkg:oci/app?repository_url=oci.test%2Fteam%2Fapp&tag=1.0',
  ],
];

for (const [changes, url] of urls)
  test(url, () => {
    const [, lodash] = expected.packages;
    assert.ok(lodash !== undefined);
    assert.equal(packageUrl({ ...lodash, ...changes }), url);
  });

test('the bill of materials has every package, with its digest in hexadecimal', () => {
  const made = { nowMs: Date.parse('2030-01-01T01:00:00Z'), programVersion: '1.2.3' };
  const bill = cycloneDx(expected, made) as Readonly<Record<string, unknown>>;
  const components = bill['components'] as readonly Readonly<Record<string, unknown>>[];
  assert.deepEqual(
    components.map(({ 'bom-ref': ref, purl, type, hashes }) => [ref, purl, type, hashes]),
    [
      [
        '1 pkg:npm/%40acme/app@1.0.0',
        'pkg:npm/%40acme/app@1.0.0',
        'library',
        [{ alg: 'SHA-512', content: '61'.repeat(64) }],
      ],
      ['2 pkg:npm/lodash@4.17.21', 'pkg:npm/lodash@4.17.21', 'library', undefined],
    ],
  );
  assert.deepEqual([bill['bomFormat'], bill['specVersion'], bill['version']], ['CycloneDX', '1.6', 1]);
});
