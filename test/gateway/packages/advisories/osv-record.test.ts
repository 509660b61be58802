// Records of OSV, as its sources write them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readOsvRecord } from '../../../../src/gateway/packages/advisories/osv-record.ts';
import { osvRecord } from '../../../support/osv-records.ts';

const levelOf = (changes: object, id = 'GHSA-1'): string | undefined => {
  const record = JSON.parse(osvRecord({ id, range: [{ introduced: '0' }] })) as Record<string, unknown>;
  return readOsvRecord(JSON.stringify({ ...record, ...changes }))?.affected[0]?.level;
};

test('a record says what is affected, by the name that requests have', () => {
  const range: readonly Readonly<Record<string, string>>[] = [{ introduced: '0' }, { fixed: '4.17.21' }];
  assert.deepEqual(
    readOsvRecord(
      osvRecord({
        id: 'GHSA-35jh-r3h4-6jhm',
        name: 'lodash',
        range,
        severity: 'HIGH',
        aliases: ['CVE-2021-23337'],
      }),
    ),
    {
      id: 'GHSA-35jh-r3h4-6jhm',
      aliases: ['CVE-2021-23337'],
      modifiedMs: Date.parse('2029-12-31T10:00:00Z'),
      isWithdrawn: false,
      ofOneEcosystem: true,
      affected: [{ key: 'npm\tlodash', level: 'high', versions: [], ranges: [range] }],
    },
  );
  for (const [ecosystem, name, key] of [
    ['PyPI', 'Zope.Interface', 'pypi\tzope-interface'],
    ['crates.io', 'serde_json', 'cargo\tserde-json'],
    ['Go', 'github.com/Sirupsen/logrus', 'go\tgithub.com/sirupsen/logrus'],
    ['Maven', 'org.apache.logging.log4j:log4j-core', 'maven\torg.apache.logging.log4j:log4j-core'],
    ['Maven:https://maven.example.com', 'com.example:a', 'maven\tcom.example:a'],
    ['RubyGems', 'rails', 'rubygems\trails'],
    ['npm', '@Acme/App', 'npm\t@acme/app'],
    ['Debian:12', 'openssl', undefined],
    ['__proto__', 'a', undefined],
    ['npm', 'two\tnames', undefined],
  ] as const)
    assert.equal(
      readOsvRecord(osvRecord({ id: 'GHSA-1', ecosystem, name, versions: ['1.0.0'] }))?.affected[0]?.key,
      key,
      `${ecosystem} ${name}`,
    );
});

test('how severe it is: what people said, then the worst vector, and nobody knows', () => {
  const severity = (...scores: readonly string[]): object => ({
    severity: scores.map((score) => ({ type: 'CVSS_V3', score })),
    database_specific: {},
  });
  const critical = 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H';
  const low = 'CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N';
  for (const [changes, level] of [
    [
      { database_specific: { severity: 'MODERATE' }, severity: [{ type: 'CVSS_V3', score: critical }] },
      'moderate',
    ],
    [{ database_specific: { severity: 'Medium' } }, 'moderate'],
    [severity(critical), 'critical'],
    [severity(low), 'low'],
    [severity(low, critical), 'critical'],
    [severity('CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N'), 'high'],
    [severity('AV:N/AC:L/Au:N/C:P/I:P/A:P'), 'high'],
    [severity('CVSS:3.1/AV:N'), 'unknown'],
    // Of a metric that is missing nobody has said that it does no harm.
    [severity('CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H'), 'unknown'],
    [severity('AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H'), 'unknown'],
    [severity('CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N'), 'unknown'],
    [severity('7.5'), 'unknown'],
    [severity('CVSS:9.9/AV:N/AC:L'), 'unknown'],
    [{}, 'unknown'],
    [{ database_specific: { severity: 'constructor' } }, 'unknown'],
  ] as const)
    assert.equal(levelOf(changes), level, JSON.stringify(changes));
  assert.equal(levelOf({ database_specific: { severity: 'LOW' } }, 'MAL-2030-1'), 'malware');
});

test('what a record says never gets to the terminal as it is', (t) => {
  const warn = t.mock.method(console, 'warn', () => undefined);
  const vector = 'CVSS:3.1/\u001B]0;owned\u0007:';
  const record = readOsvRecord(osvRecord({ id: 'GHSA-1', versions: ['1.0.0'], vector }));
  assert.equal(record?.affected[0]?.level, 'unknown');
  assert.equal(warn.mock.callCount(), 0);
});

test('that nobody looks after a crate is of low severity', () => {
  const record = JSON.parse(
    osvRecord({ id: 'RUSTSEC-2030-0001', ecosystem: 'crates.io', range: [{ introduced: '0.0.0-0' }] }),
  ) as {
    affected: { database_specific: object }[];
  };
  record.affected[0]!.database_specific = { categories: [], cvss: null, informational: 'unmaintained' };
  assert.equal(readOsvRecord(JSON.stringify(record))?.affected[0]?.level, 'low');
});

test('commits are no versions; malware without any is all of its package', () => {
  const ranges = [{ type: 'GIT', events: [{ introduced: '0' }] }];
  assert.deepEqual(readOsvRecord(osvRecord({ id: 'GHSA-1', ranges }))?.affected, []);
  assert.deepEqual(readOsvRecord(osvRecord({ id: 'MAL-2030-1', ranges }))?.affected, [
    { key: 'npm\texample', level: 'malware', versions: [], ranges: [], isWhole: true },
  ]);
  assert.equal(readOsvRecord(osvRecord({ id: 'MAL-2030-1' }))?.affected[0]?.isWhole, true);
});

test('what is no record is none, and what is odd in one is left out of it', () => {
  for (const text of [
    '',
    '[]',
    'null',
    '{}',
    '{"id":"a"}',
    '{"id":"a b","modified":""}',
    '{"id":5,"modified":"2030-01-01T00:00:00Z"}',
  ])
    assert.equal(readOsvRecord(text), undefined, text);
  const record = JSON.parse(osvRecord({ id: 'GHSA-1', range: [{ introduced: '0' }] })) as Record<
    string,
    unknown
  >;
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(record)), fc.json(), (name, value) => {
      const text = JSON.stringify({ ...record, [name]: JSON.parse(value) as unknown });
      const read = readOsvRecord(text);
      for (const { key, versions, ranges } of read?.affected ?? []) {
        assert.match(key, /^[a-z]+\t[^\s]+$/);
        assert.ok(
          versions.every((one) => typeof one === 'string') && ranges.every((one) => Array.isArray(one)),
        );
      }
    }),
    { seed: 20, numRuns: 500 },
  );
});
