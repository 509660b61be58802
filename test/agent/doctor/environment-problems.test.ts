import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { environmentProblems } from '../../../src/agent/doctor/environment-problems.ts';
import type { Scene } from '../../../src/agent/doctor/examine-settings.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

const relay = { host: '127.0.0.1', port: 4321 };

async function openScene() {
  const folder = await temporaryDirectory();
  const bundle = join(folder.path, 'bundle.pem');
  const { caPem } = createTestAuthority();
  await writeFile(bundle, caPem);
  const scene = (environment: Record<string, string>): Scene => ({
    environment,
    home: folder.path,
    relay,
    reached: true,
    captured: false,
    authority: [new X509Certificate(caPem)],
    systemBundle: bundle,
    sessionBundle: bundle,
  });
  const codes = (environment: Record<string, string>, skewMs = 0): string[] =>
    environmentProblems(scene(environment), skewMs).map(({ code }) => code);
  return {
    folder: folder.path,
    bundle,
    scene,
    codes,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

test('the environment of a session has no problem', async () => {
  await using set = await openScene();
  const environment = {
    https_proxy: 'http://127.0.0.1:4321',
    no_proxy: 'localhost,127.0.0.1,::1,.internal.test',
    SSL_CERT_FILE: set.bundle,
    NODE_EXTRA_CA_CERTS: set.bundle,
  };
  assert.deepEqual(set.codes(environment), []);
});

test('what leads around the relay or to another is told, with the line that mends it', async () => {
  await using set = await openScene();
  assert.deepEqual(set.codes({ no_proxy: 'a.test, *' }), ['no_proxy_wide']);
  assert.deepEqual(set.codes({ NO_PROXY: '.invalid' }), ['no_proxy_wide']);
  const [other] = environmentProblems(set.scene({ HTTPS_PROXY: 'http://u:secret@old.test:1' }), 0);
  assert.equal(other?.fix, 'export HTTPS_PROXY=http://127.0.0.1:4321');
  assert.doesNotMatch(other?.message ?? '', /secret/);
  assert.equal(
    environmentProblems(set.scene({ ALL_PROXY: 'socks5://x.test:1' }), 0)[0]?.fix,
    'unset ALL_PROXY',
  );
});

test('files that are gone or have other certificates are told', async () => {
  await using set = await openScene();
  const strange = join(set.folder, 'strange.pem');
  await writeFile(strange, createTestAuthority().caPem);
  assert.deepEqual(set.codes({ SSL_CERT_FILE: '/gone', PIP_CERT: strange }), [
    'file_missing',
    'authority_missing',
  ]);
});

test('verification that is switched off, clocks apart and a missing system bundle are told', async () => {
  await using set = await openScene();
  assert.deepEqual(set.codes({ NODE_TLS_REJECT_UNAUTHORIZED: '0', GIT_SSL_NO_VERIFY: '1' }), [
    'verification_off',
    'verification_off',
  ]);
  assert.deepEqual(set.codes({ PYTHONHTTPSVERIFY: '0' }), ['verification_off']);
  assert.deepEqual(set.codes({ npm_config_strict_ssl: '' }), ['verification_off']);
  assert.deepEqual(set.codes({ NODE_TLS_REJECT_UNAUTHORIZED: '1' }), []);
  assert.deepEqual(set.codes({ GLOBAL_AGENT_HTTPS_PROXY: 'http://127.0.0.1:4321' }), ['global_agent']);
  assert.deepEqual(set.codes({}, -120_000), ['clock_skew']);
  assert.match(environmentProblems(set.scene({}), 120_000)[0]?.message ?? '', /120 s behind/);
  const bare = { ...set.scene({}), systemBundle: undefined };
  assert.deepEqual(
    environmentProblems(bare, 0).map(({ code }) => code),
    ['no_system_bundle'],
  );
});

test('files of the user that go over the session are told, without their passwords', async () => {
  await using set = await openScene();
  const own: Readonly<Record<string, string>> = {
    '.npmrc': 'registry=https://npm.test\nhttps-proxy=http://u:secret@old.test:1\n',
    '.gitconfig': '[user]\n\tname = x\n[http]\n\tsslVerify = false\n\tproxy = http://old.test:1\n',
    '.curlrc': 'silent\nproxy = "old.test:1"\ninsecure\n',
    '.config/pip/pip.conf': '[global]\nproxy = http://old.test:1\n',
  };
  await mkdir(join(set.folder, '.config/pip'), { recursive: true });
  for (const [name, text] of Object.entries(own)) await writeFile(join(set.folder, name), text);
  const problems = environmentProblems(set.scene({}), 0);
  assert.deepEqual(
    problems.map(({ message }) => /^(\S+) sets (.+?) \(/.exec(message)?.slice(1).join(': ')),
    [
      '~/.npmrc: a proxy for npm',
      '~/.gitconfig: a proxy for git',
      '~/.gitconfig: no verification for git',
      '~/.config/pip/pip.conf: a proxy for pip',
      '~/.curlrc: a proxy for curl',
      '~/.curlrc: no verification for curl',
    ],
  );
  assert.doesNotMatch(JSON.stringify(problems), /secret/);
});

test('a proxy of the user that is not for HTTP in general, or names the relay, is none', async () => {
  await using set = await openScene();
  await writeFile(join(set.folder, '.gitconfig'), '[core]\n\tgitproxy = x\n[http]\n\tpostBuffer = 1\n');
  await writeFile(join(set.folder, '.npmrc'), 'proxy=http://127.0.0.1:4321/\n');
  assert.deepEqual(set.codes({}), []);
  await writeFile(join(set.folder, '.npmrc'), 'proxy=http://127.0.0.1:4322/\n');
  assert.deepEqual(set.codes({}), ['setting_overrides'], 'another port is another proxy');
});

test('a file of the user does not count where a variable of the session goes before it', async () => {
  await using set = await openScene();
  await writeFile(join(set.folder, '.npmrc'), 'cafile=/own.pem\n');
  assert.deepEqual(set.codes({}), ['setting_overrides']);
  assert.deepEqual(set.codes({ npm_config_cafile: set.bundle }), []);
});
