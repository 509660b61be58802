import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import ssh2 from 'ssh2';

import { keyFingerprint, signedId, signForGit } from '../../../src/gateway/ssh/ssh-signature.ts';
import { Secret } from '../../../src/protocol/secret.ts';

const message = Buffer.from('tree of a commit\n');

function pairOf(type: 'ed25519' | 'ecdsa' | 'rsa', bits?: number) {
  const made = ssh2.utils.generateKeyPairSync(type, bits === undefined ? {} : { bits });
  return { privateKey: new Secret(made.private), publicKey: made.public.split(' ').slice(0, 2).join(' ') };
}

/** Its parts, as PROTOCOL.sshsig has them. */
function partsOf(armor: string): readonly Buffer[] {
  const blob = Buffer.from(armor.split('\n').slice(1, -2).join(''), 'base64');
  assert.equal(blob.toString('latin1', 0, 10), 'SSHSIG\0\0\0\x01');
  return fieldsOf(blob.subarray(10));
}

function fieldsOf(blob: Buffer): readonly Buffer[] {
  const fields: Buffer[] = [];
  for (let at = 0; at < blob.length;) {
    const length = blob.readUInt32BE(at);
    fields.push(blob.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return fields;
}

test('a signature is for git, over the hash of exactly what was given', async () => {
  const pair = pairOf('ed25519');
  const [key, namespace, reserved, hash, signature = Buffer.alloc(0)] = partsOf(
    await signForGit(message, pair),
  );
  assert.equal(key?.toString('base64'), pair.publicKey.split(' ')[1]);
  assert.deepEqual([namespace, reserved, hash].map(String), ['git', '', 'sha512']);
  const [type, octets = Buffer.alloc(0)] = fieldsOf(signature);
  assert.equal(String(type), 'ssh-ed25519');
  const parsed = ssh2.utils.parseKey(pair.publicKey);
  assert.ok(!(parsed instanceof Error));
  const field = (content: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(content.length);
    return Buffer.concat([length, content]);
  };
  const digest = createHash('sha512').update(message).digest();
  const signed = ['git', '', 'sha512'].map((one) => field(Buffer.from(one)));
  const data = Buffer.concat([Buffer.from('SSHSIG'), ...signed, field(digest)]);
  assert.ok(verify(null, data, createPublicKey(parsed.getPublicPEM()), octets));
});

test('a private key that is not the other half of what others know signs nothing', async () => {
  const [own, other] = [pairOf('ed25519'), pairOf('ed25519')];
  await assert.rejects(signForGit(message, { ...own, publicKey: other.publicKey }), {
    code: 'credential_unavailable',
    message: /not the private half/,
  });
  await assert.rejects(signForGit(message, { ...own, privateKey: new Secret('nothing') }), {
    code: 'credential_unavailable',
  });
  await assert.rejects(signForGit(message, pairOf('rsa', 1024)), { message: /2048 to 8192 bits/ });
});

test('the id is that of the object with the signature in it', () => {
  const commit = Buffer.from('tree x\nauthor y\n\nmessage\n');
  const id = signedId(commit, { kind: 'commit', hash: 'sha1' }, 'A\nB\n');
  const whole = 'tree x\nauthor y\ngpgsig A\n B\n\nmessage\n';
  assert.equal(id, createHash('sha1').update(`commit ${whole.length}\0${whole}`).digest('hex'));
});

test(
  'ssh-keygen verifies keys of each type, and takes them for no other purpose',
  {
    skip: spawnSync('ssh-keygen', ['-?']).error === undefined ? false : 'ssh-keygen is not installed',
  },
  async () => {
    for (const pair of [
      pairOf('ed25519'),
      pairOf('rsa', 2048),
      ...([256, 384, 521] as const).map((one) => pairOf('ecdsa', one)),
    ]) {
      const armor = await signForGit(message, pair);
      const script =
        'd=$(mktemp -d); trap "rm -r $d" EXIT; printf "%s" "$SIG" >"$d/s"; printf "a %s\\n" "$KEY" >"$d/a"; printf "%s\\n" "$MESSAGE" | ssh-keygen -Y verify -f "$d/a" -I a -n "$0" -s "$d/s"';
      const env = {
        PATH: process.env['PATH'],
        SIG: armor,
        KEY: pair.publicKey,
        MESSAGE: message.toString().trimEnd(),
      };
      assert.ok(
        execFileSync('sh', ['-c', script, 'git'], { env })
          .toString()
          .includes(keyFingerprint(pair.publicKey)),
      );
      assert.notEqual(spawnSync('sh', ['-c', script, 'file'], { env }).status, 0);
    }
  },
);
