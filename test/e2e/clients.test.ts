// The part of the client matrix that every machine can run. The whole of it: `npm run test:clients`.

import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';

import { allChecks } from '../clients/checks/all.ts';
import { fill, fillPattern } from '../clients/check.ts';
import type { ClientCheck, Mode } from '../clients/check.ts';
import { runMatrix } from '../clients/matrix.ts';
import type { CheckResult } from '../clients/matrix.ts';
import { ordinaryUser } from '../clients/ordinary-user.ts';
import { captureObstacle } from '../support/capture-obstacle.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const quick = allChecks.filter((check) => check.quick === true);
const isAlone = ({ id }: ClientCheck): boolean => ['curl', 'git-clone', 'npm'].includes(id);
const tools = '/nonexistent';

function failures(results: readonly CheckResult[]): string[] {
  return results
    .filter(({ state }) => state === 'fail')
    .map(({ check, mode, reason, output }) => `${check.id} by ${mode}: ${reason}\n${output.slice(-1500)}`);
}

const ways: readonly (readonly [Mode, string | false])[] = [
  ['environment', false],
  ['capture', captureObstacle()],
];
for (const [mode, skip] of ways) {
  test(
    `common clients do their job by ${mode}; curl, git and npm in a run of their own`,
    { skip },
    async () => {
      const results = await runMatrix({ checks: quick, modes: [mode], tools, atOnce: 2, isAlone });
      assert.deepEqual(failures(results), []);
      const passed = new Set(results.filter(({ state }) => state === 'pass').map(({ check }) => check.id));
      // Node and npm are what runs this.
      for (const id of ['node26-fetch', 'node26-https', 'npm']) assert.ok(passed.has(id), id);
    },
  );
}

test('every check is one of its kind, and speaks of what there is', () => {
  assert.equal(new Set(allChecks.map(({ id }) => id)).size, allChecks.length);
  const ports = { https: 443, http: 80, ssh: 22, postgres: 5432, redis: 6379, rsync: 873 };
  const values = { ports, tools, node: 'node', dir: '/d', home: '/h', serial: 'e1', cache: '/c' };
  for (const { id, command, files = {}, env = {}, expect, needs } of allChecks) {
    assert.ok(needs.length > 0, id);
    const texts = [...command, ...needs, ...Object.values(files), ...Object.values(env)];
    for (const text of texts) assert.doesNotMatch(fill(text, values), /@[a-z]+:[a-z0-9.-]+@/, id);
    assert.ok(fillPattern(expect, values) instanceof RegExp);
  }
});

/** Settings that keep a client's own sandbox, its checks or its end from getting in the way. */
const helping =
  /sandbox|USERNS|ROOTLESS|insecure\b|no-check|verify[=:_ -]*(?:false|none|0)|setTimeout\(\(\) => \{\}/i;

test('a check that helps its client says so', () => {
  for (const { id, command, files = {}, env = {}, help, how } of allChecks) {
    const pairs = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const texts = [...command, ...pairs, ...Object.values(files)];
    const found = texts.map((text) => helping.exec(text)?.[0]).filter((text) => text !== undefined);
    assert.equal(found.length > 0, help !== undefined, `${id}: ${found.join(', ')} (${how})`);
  }
});

test('placeholders name the host of one run of a check, and a port where it is not the usual one', () => {
  const values = {
    ports: { https: 8443, http: 80 },
    tools,
    node: 'node',
    dir: '/d',
    home: '/h',
    serial: 'c7',
    cache: '/c',
  };
  assert.equal(
    fill('@https:git@/a @http:git@ @wss:web@', values),
    'https://git.c7.up.test:8443/a http://git.c7.up.test wss://web.c7.up.test:8443',
  );
  assert.equal(
    fill('@host:ssh@ @authority:oci@ @port:https@ @dir@', values),
    'ssh.c7.up.test oci.c7.up.test:8443 8443 /d',
  );
  assert.ok(fillPattern(/^@host:web@$/, values).test('web.c7.up.test'));
  assert.ok(!fillPattern(/^@host:web@$/, values).test('webxc7.up.test'));
  assert.throws(() => fill('@port:gopher@', values), /gopher/);
});

test(
  'an ordinary user has the first copy of a tool that is open to it',
  { skip: process.geteuid?.() === 0 ? false : 'only root has an ordinary user beside it' },
  async () => {
    await using directory = await temporaryDirectory();
    await chmod(directory.path, 0o755);
    const copies = [
      ['folder', 0o700, 0o755],
      ['file', 0o755, 0o700],
      ['open', 0o755, 0o755],
    ] as const;
    for (const [name, folderMode, mode] of copies) {
      await mkdir(join(directory.path, name));
      await writeFile(join(directory.path, name, 'some-tool'), '#!/bin/sh\n');
      await chmod(join(directory.path, name, 'some-tool'), mode);
      await chmod(join(directory.path, name), folderMode);
    }
    const path = copies.map(([name]) => join(directory.path, name)).join(delimiter);
    assert.equal(ordinaryUser.find('some-tool', path), join(directory.path, 'open/some-tool'));
    const closed = path.split(delimiter).slice(0, 2).join(delimiter);
    assert.equal(ordinaryUser.find('some-tool', closed), undefined);
  },
);
