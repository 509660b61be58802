// `upstreamproxy packages`: what it says to a person, and to a program, with the commands of docs/reference/package-registries.md and docs/guides/packages.md.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { osvRecord } from '../../support/osv-records.ts';
import { runShared } from '../../support/command-process.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { writeZip } from '../../support/zip-writer.ts';

test('packages advisories import says what was read, and what is different', () =>
  withTemporaryDirectory(async (folder) => {
    const modified = '2025-12-31T10:00:00Z';
    const index = join(folder, 'advisories.index');
    const record = osvRecord({
      id: 'MAL-2029-1',
      name: 'example',
      versions: ['1.0.0'],
      aliases: ['GHSA-1'],
      modified,
    });
    mkdirSync(join(folder, 'own-records'));
    writeFileSync(join(folder, 'own-records', 'own.json'), record);
    writeZip(join(folder, 'all.zip'), [
      {
        name: 'GHSA-2.json',
        text: osvRecord({ id: 'GHSA-2', ecosystem: 'PyPI', versions: ['1'], severity: 'HIGH', modified }),
      },
    ]);
    const load = (...args: readonly string[]) =>
      runShared(['packages', 'advisories', 'import', ...args], { cwd: folder });
    const first = await load('all.zip', 'own-records', '--index', index);
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^2 records, 0 of them withdrawn\./);
    assert.match(first.stdout, /npm +1 +1 +2025-12-31T10:00:00\.000Z/);
    const withdrawn = { ...(JSON.parse(record) as object), withdrawn: '2025-12-31T11:00:00Z' };
    writeFileSync(join(folder, 'own-records', 'own.json'), JSON.stringify(withdrawn));
    const refused = await load('all.zip', 'own-records', '--index', index);
    assert.equal(refused.code, 78);
    assert.match(refused.stderr, /of npm the exports have 0 advisories.*--replace/);
    const second = await load('all.zip', 'own-records', '--index', index, '--replace');
    assert.match(
      second.stdout,
      /Gone, so allowed again.*:\n {2}npm example: MAL-2029-1 \(GHSA-1\), malware, withdrawn\n/,
    );
    const told = JSON.parse(
      (await load('all.zip', 'own-records', '--index', index, '--json')).stdout,
    ) as Readonly<Record<string, unknown>>;
    assert.deepEqual(told['added'], { count: 0, some: [] });
    writeFileSync(join(folder, 'policy.yaml'), 'rules: []\n');
    const config = 'publicNames: localhost\nstateDirectory: state\npolicy: policy.yaml\n';
    writeFileSync(join(folder, 'gateway.yaml'), `${config}advisories: { index: advisories.index }\n`);
    const named = await load('all.zip', 'own-records', '--config', 'gateway.yaml');
    assert.match(named.stdout, /0 new, 0 changed, 0 gone/, named.stderr);
    assert.equal((await load('all.zip')).code, 64);
  }));

test('packages explain says of one version, and of each that the registry tells of, whether it comes and why', () =>
  withTemporaryDirectory(async (folder) => {
    const policy = 'rules: [{ name: npm, hosts: npm.test, packages: { registry: npm, minAge: 3d } }]';
    writeFileSync(join(folder, 'policy.yaml'), policy);
    const time = { '4.17.21': '2021-02-20T15:42:16Z', '9.0.0': new Date().toISOString() };
    const versions = Object.fromEntries(
      Object.keys(time).map((version) => [version, { name: 'lodash', version }]),
    );
    writeFileSync(join(folder, 'lodash.json'), JSON.stringify({ name: 'lodash', versions, time }));
    const explain = (...args: readonly string[]) =>
      runShared(['packages', 'explain', ...args, '--registry', 'npm', '--policy', 'policy.yaml'], {
        cwd: folder,
      });
    const one = await explain('lodash@4.17.21', '--published', '2021-02-20T15:42:16Z');
    assert.equal(one.code, 0, one.stderr);
    assert.match(one.stdout, /^ALLOW lodash@4\.17\.21 of npm at https:\/\/npm\.test\/\n {2}published: 2021/);
    const unknown = await explain('lodash@4.17.21');
    assert.equal(unknown.code, 77);
    assert.match(unknown.stdout, /its age decides, and is not known here/);
    const all = await explain('lodash', '--metadata', 'lodash.json');
    assert.equal(all.code, 77);
    assert.match(all.stdout, /^ALLOW +4\.17\.21 .* The rule npm allows it\.$/m);
    assert.match(all.stdout, /^DENY +9\.0\.0 .* No rule allows lodash@9\.0\.0\. The rule npm waits/m);
    const lines = (await explain('lodash', '--metadata', 'lodash.json', '--json')).stdout
      .trimEnd()
      .split('\n');
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as Readonly<Record<string, unknown>>)['isAllowed']),
      [true, false],
    );
    for (const wrong of [['lodash@latest'], ['a b@1.0.0'], ['lodash@1.0.0', '--published', 'monday']])
      assert.equal((await explain(...wrong)).code, 64, wrong.join(' '));
    assert.equal((await explain('lodash', '--metadata', 'policy.yaml')).code, 78);
    assert.equal((await explain('lodash@1.0.0', '--index', 'ftp://npm.test/')).code, 64);
  }));
