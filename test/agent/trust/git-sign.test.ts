import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { gitConfiguration } from '../../../src/agent/trust/git-configuration.ts';
import { gitSignName, writeGitSign } from '../../../src/agent/trust/git-sign.ts';
import { isSigningKey } from '../../../src/protocol/signing-key.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const base64 = `AAAAC3NzaC1lZDI1NTE5AAAAI${'k'.repeat(43)}`;
const key = `ssh-ed25519 ${base64}`;

test('what git signs with our key goes to the gateway, and all else to the real ssh-keygen', async () => {
  await using directory = await temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  for (const [name, says] of [
    ['ssh-keygen', 'real'],
    ["our o'wn", 'gateway'],
  ] as const) {
    writeFileSync(at(name), `#!/bin/sh\nprintf '%s' '${says}'; for word do printf ' [%s]' "$word"; done\n`);
    chmodSync(at(name), 0o755);
  }
  writeFileSync(at('our key.pub'), key);
  writeFileSync(at('other.pub'), `ssh-ed25519 ${'B'.repeat(68)} a ${base64.slice(1)}\n`);
  const program = await writeGitSign(directory.path, { command: [at("our o'wn")], key });
  assert.equal(statSync(program).mode & 0o777, 0o755);
  const env = { PATH: `${directory.path}:${process.env['PATH']}` };
  const run = (...words: readonly string[]): string => execFileSync(program, words, { env }).toString();
  const signs = ['-Y', 'sign', '-n', 'git', '-f', at('our key.pub'), '-U', 'a b'];
  const words = (list: readonly string[]): string => list.map((one) => `[${one}]`).join(' ');
  assert.equal(run(...signs), `gateway [git-sign] [--] ${words(signs)}`);
  for (const others of [
    ['-Y', 'sign', '-n', 'git', '-f', at('other.pub'), 'x'],
    ['-Y', 'sign', '-n', 'git', '-f', at('missing.pub'), 'x'],
    ['-Y', 'verify', '-n', 'git', '-f', at('our key.pub'), '-I', 'a', '-s', 's'],
    ['-Y', 'find-principals', '-f', at('our key.pub'), '-s', 's'],
    ['-l'],
  ])
    assert.equal(run(...others), `real ${words(others)}`);
});

test('git is told beside what variables say already, and not where they say how to sign', () => {
  const program = `/run/session/${gitSignName}`;
  const own = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'core.pager', GIT_CONFIG_VALUE_0: 'cat' };
  assert.deepEqual(gitConfiguration(own, program, { key, automatic: ['commit'] }), {
    GIT_CONFIG_COUNT: '5',
    GIT_CONFIG_KEY_1: 'gpg.format',
    GIT_CONFIG_VALUE_1: 'ssh',
    GIT_CONFIG_KEY_2: 'gpg.ssh.program',
    GIT_CONFIG_VALUE_2: program,
    GIT_CONFIG_KEY_3: 'user.signingKey',
    GIT_CONFIG_VALUE_3: `key::${key}`,
    GIT_CONFIG_KEY_4: 'commit.gpgSign',
    GIT_CONFIG_VALUE_4: 'true',
  });
  const signing = { key, automatic: [] };
  const theirs = { ...own, GIT_CONFIG_KEY_0: 'user.signingkey' };
  for (const base of [theirs, { GIT_CONFIG_COUNT: 'x' }, { GIT_CONFIG_COUNT: '-1' }])
    assert.deepEqual(gitConfiguration(base, program, signing), {});
  assert.deepEqual(gitConfiguration({}, undefined, signing), {});
  assert.deepEqual(gitConfiguration({}, program, undefined), {});
  // Of a session around this one.
  const outer = gitConfiguration({}, program, signing);
  assert.equal(gitConfiguration(outer, program, signing)['GIT_CONFIG_COUNT'], '6');
});

test('an agent takes a public key on one line, and nothing that a shell or git would act on', () => {
  assert.ok(isSigningKey({ key, automatic: ['commit', 'tag'] }));
  for (const one of [
    undefined,
    { key },
    { key: `${key}\n`, automatic: [] },
    { key: `${key} comment`, automatic: [] },
    { key: "ssh-ed25519 '$(id)'", automatic: [] },
    { key, automatic: ['push'] },
    { key, automatic: 'commit' },
  ])
    assert.ok(!isSigningKey(one), JSON.stringify(one));
});
