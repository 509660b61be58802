// `npm run sign:release -- --key FILE [DIR]`: signs the release in DIR (dist/release). A step of its own, for a signature has chance in it: what is built is
// the same each time, what is signed is not. FILE has an unencrypted private key for ECDSA with P-256 (PEM), readable by its owner alone.

import { hash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  detachedSignature,
  fileBundle,
  keyFingerprint,
  readSigningKey,
  signedStatement,
  statementBundle,
} from './release/signature.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const { values, positionals } = parseArgs({ options: { key: { type: 'string' } }, allowPositionals: true });
if (values.key === undefined) throw new Error('--key FILE names the file of the private key');
const folder = resolve(positionals[0] ?? join(root, 'dist', 'release'));
const key = readSigningKey(values.key);
const read = (name: string): Buffer => readFileSync(join(folder, name));

// What was changed since it was built is not signed.
for (const line of read('SHA256SUMS')
  .toString('utf8')
  .split('\n')
  .filter((text) => text !== '')) {
  const [, digest, name] = /^([0-9a-f]{64}) {2}([\w.~+-]+)$/.exec(line) ?? [];
  if (name === undefined || hash('sha256', read(name)) !== digest)
    throw new Error(`SHA256SUMS: ${name ?? line} is not as it was built`);
}
const [sums, statement] = [read('SHA256SUMS'), read('provenance.json')];
const signatures = {
  'SHA256SUMS.sig': detachedSignature(sums, key),
  'SHA256SUMS.sigstore.json': fileBundle(sums, key),
  'release.json.sig': detachedSignature(read('release.json'), key),
  'provenance.dsse.json': signedStatement(statement, key),
  'provenance.sigstore.json': statementBundle(statement, key),
};
for (const [name, text] of Object.entries(signatures))
  writeFileSync(join(folder, name), text, { mode: 0o644 });
console.log(`${folder}: signed by the key with the fingerprint ${keyFingerprint(key)}`);
