// Exports of OSV become one index, and it says what is different from the one before.

import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readAdvisoryFile } from '../../../../src/gateway/packages/advisories/advisory-file.ts';
import {
  importAdvisories,
  type ImportReport,
} from '../../../../src/gateway/packages/advisories/import-advisories.ts';
import type { PackageRegistry } from '../../../../src/understand/packages/package-request.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { osvRecord } from '../../../support/osv-records.ts';
import { withTemporaryDirectory } from '../../../support/temporary-directory.ts';
import { writeZip } from '../../../support/zip-writer.ts';

const nowMs = Date.parse('2030-01-01T00:00:00Z');

interface Scene {
  readonly folder: string;
  readonly index: string;
  readonly zip: (name: string, ...records: readonly string[]) => string;
  readonly load: (sources: readonly string[], replaces?: boolean) => Promise<ImportReport>;
  readonly found: (registry: PackageRegistry, name: string, version: string) => Promise<readonly string[]>;
}

const withScene = (use: (scene: Scene) => Promise<void>): Promise<void> =>
  withTemporaryDirectory(async (folder) => {
    const index = join(folder, 'advisories.index');
    await use({
      folder,
      index,
      zip: (name, ...records) => {
        const path = join(folder, name);
        writeZip(
          path,
          records.map((text) => ({ name: `${(JSON.parse(text) as { id: string }).id}.json`, text })),
        );
        return path;
      },
      load: (sources, replaces = false) =>
        importAdvisories({ sources, index, nowMs, replaces, signal: AbortSignal.timeout(60_000) }),
      found: async (registry, name, version) => {
        const read = await readAdvisoryFile(index);
        return read.find(registry, name, version).map(({ ids, level }) => `${ids.join(' ')} ${level}`);
      },
    });
  });

const until = (fixed: string): readonly Readonly<Record<string, string>>[] => [
  { introduced: '0' },
  { fixed },
];

test('archives, folders and single records become one index', () =>
  withScene(async ({ folder, index, zip, load, found }) => {
    const npm = zip(
      'npm.zip',
      osvRecord({
        id: 'GHSA-1',
        name: 'lodash',
        range: until('4.17.21'),
        severity: 'HIGH',
        aliases: ['CVE-2030-1'],
      }),
      osvRecord({ id: 'MAL-2030-1', name: '@acme/evil', versions: ['1.0.0', '1.0.1'] }),
      osvRecord({ id: 'GHSA-2', name: 'lodash', range: until('9.0.0'), withdrawn: '2029-12-01T00:00:00Z' }),
    );
    const own = join(folder, 'own', 'inner');
    await mkdir(own, { recursive: true });
    await writeFile(
      join(own, 'own.json'),
      osvRecord({ id: 'OWN-1', ecosystem: 'PyPI', name: 'Our_Tool', versions: ['1.0'] }),
    );
    await writeFile(join(own, 'notes.txt'), 'nothing');
    await symlink(npm, join(own, 'elsewhere.zip'));
    const single = join(folder, 'one.json');
    await writeFile(
      single,
      osvRecord({
        id: 'GO-1',
        ecosystem: 'Go',
        name: 'example.com/Mod',
        range: until('1.2.0'),
        vector: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H',
      }),
    );
    const report = await load([npm, join(folder, 'own'), single]);
    assert.equal(report.records, 5);
    assert.equal(report.withdrawn, 1);
    assert.deepEqual([...report.registries.keys()].toSorted(), ['go', 'npm', 'pypi']);
    assert.deepEqual(await found('npm', 'lodash', '4.17.20'), ['GHSA-1 CVE-2030-1 high']);
    assert.deepEqual(await found('npm', 'lodash', '4.17.21'), []);
    assert.deepEqual(await found('npm', '@ACME/evil', '1.0.1'), ['MAL-2030-1 malware']);
    assert.deepEqual(await found('npm', '@acme/evil', '1.0.2'), []);
    assert.deepEqual(await found('pypi', 'our-tool', '1.0.0'), ['OWN-1 unknown']);
    assert.deepEqual(await found('go', 'example.com/mod', 'v1.1.9'), ['GO-1 critical']);
    assert.deepEqual(await found('npm', 'lodas', '1.0.0'), []);
    assert.equal((await stat(index)).mode & 0o777, 0o600);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('.')),
      [],
    );
  }));

test('records of one thing are one advisory, as severe as somebody said', () =>
  withScene(async ({ zip, load, found }) => {
    const pypi = (id: string, changes: object): string =>
      osvRecord({ id, ecosystem: 'PyPI', name: 'example', ...changes });
    await load([
      zip(
        'pypi.zip',
        pypi('PYSEC-1', { range: until('2.0'), aliases: ['CVE-2030-1'] }),
        pypi('GHSA-1', { versions: ['2.5'], severity: 'MODERATE', aliases: ['CVE-2030-1'] }),
        pypi('PYSEC-2', { range: until('1.0') }),
      ),
      zip('again.zip', pypi('PYSEC-2', { range: until('1.5'), modified: '2029-12-31T11:00:00Z' })),
    ]);
    assert.deepEqual(await found('pypi', 'example', '1.2'), [
      'GHSA-1 PYSEC-1 CVE-2030-1 moderate',
      'PYSEC-2 unknown',
    ]);
    assert.deepEqual(await found('pypi', 'example', '2.5'), ['GHSA-1 PYSEC-1 CVE-2030-1 moderate']);
    assert.deepEqual(await found('pypi', 'example', '2.1'), []);
    // What nobody can order is in each range.
    assert.deepEqual(await found('pypi', 'example', '2004d'), [
      'GHSA-1 PYSEC-1 CVE-2030-1 moderate',
      'PYSEC-2 unknown',
    ]);
  }));

test('who lets an advisory through has said nothing of a graver one that shares an id with it', () =>
  withScene(async ({ zip, load, found }) => {
    await load([
      zip(
        'npm.zip',
        osvRecord({ id: 'GHSA-low', range: until('3.0.0'), severity: 'LOW', aliases: ['CVE-2030-1'] }),
        osvRecord({
          id: 'GHSA-worse',
          range: until('2.0.0'),
          severity: 'CRITICAL',
          aliases: ['CVE-2030-1', 'GHSA-low'],
        }),
        osvRecord({ id: 'OWN-1', range: until('1.0.0'), aliases: ['GHSA-worse'] }),
      ),
    ]);
    assert.deepEqual(await found('npm', 'example', '0.5.0'), [
      'GHSA-low CVE-2030-1 low',
      'GHSA-worse OWN-1 CVE-2030-1 critical',
    ]);
    assert.deepEqual(await found('npm', 'example', '2.5.0'), ['GHSA-low CVE-2030-1 low']);
  }));

test('malware is an advisory of its own, whatever shares an id with it', () =>
  withScene(async ({ zip, load, found }) => {
    await load([
      zip(
        'npm.zip',
        osvRecord({ id: 'MAL-2030-1', versions: ['1.0.0'], aliases: ['CVE-2030-1'] }),
        osvRecord({ id: 'GHSA-1', range: until('2.0.0'), severity: 'LOW', aliases: ['CVE-2030-1'] }),
      ),
    ]);
    assert.deepEqual(await found('npm', 'example', '1.0.0'), [
      'MAL-2030-1 CVE-2030-1 malware',
      'GHSA-1 CVE-2030-1 low',
    ]);
    assert.deepEqual(await found('npm', 'example', '1.5.0'), ['GHSA-1 CVE-2030-1 low']);
  }));

test('an export covers its own registry alone, and says nothing about how new others are', () =>
  withScene(async ({ index, zip, load }) => {
    const both = JSON.parse(osvRecord({ id: 'GHSA-1', range: until('2.0.0') })) as { affected: object[] };
    const other = osvRecord({ id: 'GHSA-1', ecosystem: 'PyPI', range: until('2.0') });
    both.affected.push(...(JSON.parse(other) as typeof both).affected);
    const npm = zip('npm.zip', JSON.stringify(both), osvRecord({ id: 'GHSA-2', range: until('3.0.0') }));
    await load([npm]);
    const read = await readAdvisoryFile(index);
    assert.deepEqual([read.covers('npm'), read.covers('pypi')], [true, false]);
    const modified = '2029-12-01T00:00:00Z';
    const own = osvRecord({ id: 'PYSEC-1', ecosystem: 'PyPI', versions: ['1.0'], modified });
    await load([npm, zip('pypi.zip', own)]);
    const { head } = await readAdvisoryFile(index);
    assert.deepEqual(head.registries.get('pypi'), {
      packages: 1,
      advisories: 2,
      newestMs: Date.parse(modified),
    });
  }));

test('what was withdrawn is gone after the next import, which says so', () =>
  withScene(async ({ zip, load, found }) => {
    const first = osvRecord({ id: 'MAL-2030-1', name: 'innocent', versions: ['1.0.0'] });
    const others = ['a', 'b', 'c'].map((name) =>
      osvRecord({ id: `GHSA-${name}`, name, range: until('1.0.0'), severity: 'LOW' }),
    );
    const before = await load([zip('all.zip', first, ...others)]);
    assert.equal(before.beforeMs, undefined);
    assert.deepEqual(await found('npm', 'innocent', '1.0.0'), ['MAL-2030-1 malware']);
    const withdrawn = osvRecord({
      id: 'MAL-2030-1',
      name: 'innocent',
      versions: ['1.0.0'],
      withdrawn: '2029-12-31T12:00:00Z',
      modified: '2029-12-31T12:00:00Z',
    });
    const changed = osvRecord({ id: 'GHSA-a', name: 'a', range: until('1.1.0'), severity: 'LOW' });
    const fresh = osvRecord({ id: 'MAL-2030-2', name: 'aa', versions: ['3.0.0'] });
    // A copy that does not know of it yet changes nothing.
    const after = await load([zip('all.zip', withdrawn, changed, fresh, others[1]!), zip('old.zip', first)]);
    assert.deepEqual(await found('npm', 'innocent', '1.0.0'), []);
    assert.equal(after.beforeMs, nowMs);
    assert.deepEqual(after.gone, {
      count: 2,
      some: [
        { registry: 'npm', package: 'c', ids: ['GHSA-c'], level: 'low' },
        { registry: 'npm', package: 'innocent', ids: ['MAL-2030-1'], level: 'malware', withdrawn: true },
      ],
    });
    assert.deepEqual(after.added, {
      count: 1,
      some: [{ registry: 'npm', package: 'aa', ids: ['MAL-2030-2'], level: 'malware' }],
    });
    assert.equal(after.changed, 1);
  }));

test('half of an export, an old one, or none changes nothing unless somebody says so', () =>
  withScene(async ({ folder, index, zip, load }) => {
    const records = ['a', 'b', 'c', 'd', 'e'].map((name) =>
      osvRecord({ id: `GHSA-${name}`, name, range: until('1.0.0') }),
    );
    await load([zip('all.zip', ...records)]);
    const kept = await readFile(index);
    const half = zip('half.zip', ...records.slice(0, 2));
    await assert.rejects(load([half]), /the exports have 2 advisories, and the index has 5.*--replace/);
    const older = zip('old.zip', ...records.map((one) => one.replace('2029-12-31', '2029-12-30')));
    await assert.rejects(load([older]), /older than the index/);
    const other = zip('pypi.zip', osvRecord({ id: 'PYSEC-1', ecosystem: 'PyPI', versions: ['1.0'] }));
    await assert.rejects(load([other]), /of npm the exports have 0 advisories/);
    await assert.rejects(load([join(folder, 'nowhere')]), /cannot be imported/);
    await writeFile(join(folder, 'cut.zip'), (await readFile(half)).subarray(0, -1));
    await assert.rejects(
      load([join(folder, 'cut.zip')], true),
      /cannot be imported: it is no zip archive, or was cut off/,
    );
    await writeFile(join(folder, 'no.json'), '{}');
    await assert.rejects(load([join(folder, 'no.json')], true), /there is no record of OSV, such as/);
    assert.deepEqual(await readFile(index), kept);
    await load([half], true);
    assert.equal((await readAdvisoryFile(index)).head.registries.get('npm')?.advisories, 2);
  }));

test('a few records that cannot be read keep no others away', () =>
  withScene(async ({ folder, zip, load, found }) => {
    const all = zip('all.zip', osvRecord({ id: 'GHSA-1', range: until('2.0.0') }));
    await writeFile(join(folder, 'bad.json'), Buffer.from([0x7b, 0xff, 0x7d]));
    const report = await load([all, join(folder, 'bad.json')]);
    assert.deepEqual(report.unreadable, { count: 1, names: [join(folder, 'bad.json')] });
    assert.deepEqual(await found('npm', 'example', '1.0.0'), ['GHSA-1 unknown']);
    const many = Array.from({ length: 101 }, (_, i) => ({ name: `${String(i)}.json`, text: '{}' }));
    writeZip(join(folder, 'many.zip'), many);
    await assert.rejects(load([all, join(folder, 'many.zip')]), /101 files that are no records of OSV/);
  }));

test('a package of which more versions are named than are kept: the records that name the most are about all', () =>
  withScene(async ({ zip, load, found }) => {
    const maven = (id: string, versions: readonly string[]): string =>
      osvRecord({ id, ecosystem: 'Maven', name: 'com.example:example', versions, severity: 'LOW' });
    const { advisoryVersionsMax } = defaultLimits;
    const many = Array.from({ length: advisoryVersionsMax - 1 }, (_, i) => `1.0-rc${String(i)}-a`);
    const found1 = (version: string): Promise<readonly string[]> =>
      found('maven', 'com.example:example', version);
    await load([zip('most.zip', maven('GHSA-1', many), maven('GHSA-2', ['3.0', '2.0']))]);
    assert.deepEqual(await found1('1.0-rc7-a'), ['GHSA-1 low']);
    assert.deepEqual(await found1('3.0'), ['GHSA-1 low', 'GHSA-2 low']);
    assert.deepEqual(await found1('9.0'), ['GHSA-1 low']);
    await load([zip('fit.zip', maven('GHSA-1', many), maven('GHSA-2', ['3.0']))], true);
    assert.deepEqual(await found1('1.0-rc7-a'), ['GHSA-1 low']);
    assert.deepEqual(await found1('1.0-rc7-b'), []);
    assert.deepEqual(await found1('3.0'), ['GHSA-2 low']);
  }));

test('what the index says of one package is no longer than a gateway reads at once', () =>
  withScene(async ({ index, zip, load, found }) => {
    const every = (step: number): readonly string[] =>
      Array.from({ length: 16_000 }, (_, i) => `1.${String(i)}.0`).filter((_, i) => i % step === 0);
    const records = Array.from({ length: 40 }, (_, i) =>
      osvRecord({ id: `GHSA-${String(i + 10)}`, versions: every((i % 8) + 2) }),
    );
    await load([zip('npm.zip', ...records)]);
    const [, line = ''] = (await readFile(index, 'utf8')).split('\n');
    assert.ok(line.length < defaultLimits.advisoryPackageBytesMax, String(line.length));
    const ids = await found('npm', 'example', '1.1.0');
    assert.ok(ids.includes('GHSA-10 unknown'), 'the one that names the most is about all');
    assert.ok(!ids.includes('GHSA-17 unknown'), 'one that names few is about these alone');
    assert.ok((await found('npm', 'example', '1.9.0')).includes('GHSA-17 unknown'));
  }));

test('an import sees at each package that it was cancelled', () =>
  withScene(async ({ index, zip }) => {
    // Records are counted to the next pause: it is over when the packages begin.
    const records = Array.from({ length: 500 }, (_, i) =>
      osvRecord({ id: `GHSA-${String(i)}`, name: `n${String(i)}`, versions: ['1.0.0'] }),
    );
    const cancelled = new AbortController();
    const importing = importAdvisories({
      sources: [zip('npm.zip', ...records)],
      index,
      nowMs,
      replaces: false,
      signal: cancelled.signal,
      onRead: () => setImmediate(() => setImmediate(() => cancelled.abort())),
    });
    await assert.rejects(importing, { code: 'cancelled' });
    await assert.rejects(stat(index), { code: 'ENOENT' });
  }));

test('an index that was changed, cut off or made by others is none', () =>
  withScene(async ({ index, zip, load }) => {
    const all = zip('all.zip', osvRecord({ id: 'GHSA-1', range: until('2.0.0') }));
    await load([all]);
    const whole = await readFile(index);
    const changed = Buffer.from(whole);
    changed[whole.length - 5] = changed[whole.length - 5]! ^ 1;
    for (const [octets, message] of [
      [changed, /changed or damaged/],
      [whole.subarray(0, -1), /another length/],
      [Buffer.alloc(0), /no index of advisories/],
      [Buffer.from('{"format":"upstreamproxy advisories","version":2}\n'), /another version of this program/],
      [Buffer.from('{"format":"upstreamproxy advisories","version":1}\n'), /says too little/],
      [Buffer.alloc(100_000), /no index of advisories/],
    ] as const) {
      await writeFile(index, octets);
      await assert.rejects(readAdvisoryFile(index), message);
      await assert.rejects(load([all]), message);
    }
    await load([all], true);
    await chmod(index, 0o600);
    assert.deepEqual(await readFile(index), whole);
  }));
