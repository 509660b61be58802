import assert from 'node:assert/strict';
import { test } from 'node:test';
import ssh2 from 'ssh2';

import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { knownHosts, sshHostKey } from '../../../src/gateway/ssh/host-key.ts';
import { isKnownHosts } from '../../../src/protocol/known-hosts.ts';

test('the key that clients see follows from the signing key, and its halves belong together', () => {
  const signingKey = createSigningKey();
  const key = sshHostKey(signingKey);
  assert.deepEqual(sshHostKey(signingKey), key);
  assert.notEqual(sshHostKey(createSigningKey()).publicKey, key.publicKey);
  const parsed = ssh2.utils.parseKey(key.privateKey);
  assert.ok(!(parsed instanceof Error));
  assert.equal(`ssh-ed25519 ${parsed.getPublicSSH().toString('base64')}`, key.publicKey);
  assert.ok(parsed.verify('a', parsed.sign('a')));
});

test('agents take the lines for hosts as a policy has them, and nothing else', () => {
  const signingKey = createSigningKey();
  const { publicKey } = sshHostKey(signingKey);
  const { text: lines, leftOut } = knownHosts(
    ['git.example.com:22', '*.example.com:2222', '[2001:db8::1]:22', 'git.example.com:22'],
    signingKey,
  );
  assert.equal(
    lines,
    `git.example.com ${publicKey}\n[*.example.com]:2222 ${publicKey}\n2001:db8::1 ${publicKey}\n`,
  );
  assert.ok(isKnownHosts(lines));
  assert.equal(leftOut, 0);
  assert.deepEqual(knownHosts([], signingKey), { text: '', leftOut: 0 });
  for (const text of [
    '',
    lines.trimEnd(),
    `@revoked * ${publicKey}\n`,
    `a ${publicKey} x\n`,
    `a\tb ${publicKey}\n`,
    `${lines}\n`,
    3,
  ])
    assert.ok(!isKnownHosts(text), String(text));
  assert.ok(!isKnownHosts(`${'a'.repeat(70_000)} ${publicKey}\n`));
});

test('more hosts than an agent takes are left out, and so is one whose line it would not take', () => {
  const hosts = Array.from({ length: 2000 }, (_, i) => `host-${i}.example.com:22`);
  const { text, leftOut } = knownHosts([`${'a'.repeat(301)}:22`, ...hosts], createSigningKey());
  assert.ok(isKnownHosts(text));
  const lines = text.split('\n').length - 1;
  assert.ok(lines > 600, `${lines} lines`);
  assert.equal(leftOut, 2001 - lines);
});
