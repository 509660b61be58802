// A token of SoftHSM with a root whose key never left it.

import { createHash, createPublicKey } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { derInteger, derSequence } from '../../../src/pki/der.ts';
import {
  authorityToBeSigned,
  authorityValidity,
  certificateOf,
  commonNameOf,
  keyIdentifier,
  signatureOf,
} from '../../../src/pki/certificate-profile.ts';
import { encodePem } from '../../../src/pki/pem.ts';
import { launcher } from '../../support/program.ts';
import { runCommand } from '../../support/command.ts';

export const softModule = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib64/softhsm/libsofthsm2.so'].find(
  (one) => existsSync(one),
);

export interface SoftToken extends Disposable {
  /** Has the PIN and nothing else. */
  readonly pinFile: string;
  /** Of the root in the token. */
  readonly rootPem: string;
  readonly rootFile: string;
  /** What a process needs to find the token. */
  readonly environment: NodeJS.ProcessEnv;
  /** `signedBy` of a configuration. */
  readonly signedBy: Readonly<Record<string, unknown>>;
}

const pin = '4711-soft-pin';

export async function softToken(name = 'Root in a token'): Promise<SoftToken> {
  const folder = mkdtempSync(join(tmpdir(), 'soft-token-'));
  const path = (file: string): string => join(folder, file);
  mkdirSync(path('tokens'));
  writeFileSync(path('softhsm2.conf'), `directories.tokendir = ${path('tokens')}\nlog.level = ERROR\n`);
  const environment = { ...process.env, SOFTHSM2_CONF: path('softhsm2.conf') };
  const tool = (program: string, ...args: readonly string[]): void =>
    void execFileSync(program, args, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  tool(
    'softhsm2-util',
    '--init-token',
    '--free',
    '--label',
    'upstream',
    '--so-pin',
    '12345678',
    '--pin',
    pin,
  );
  const token = ['--module', softModule ?? '', '--token-label', 'upstream', '--login', '--pin', pin];
  tool(
    'pkcs11-tool',
    ...token,
    '--keypairgen',
    '--key-type',
    'EC:prime256v1',
    '--label',
    'root',
    '--id',
    '01',
  );
  const read = ['--read-object', '--type', 'pubkey', '--id', '01', '--output-file', path('root.pub')];
  tool('pkcs11-tool', ...token, ...read);
  const key = { module: softModule ?? '', token: 'upstream', key: 'root' };
  const rootPem = await rootOf(name, readFileSync(path('root.pub')), async (digest) => {
    const input = JSON.stringify({ ...key, pin, mechanism: 'ecdsa', data: digest.toString('base64') });
    const { stdout, stderr } = await runCommand(launcher, ['pkcs11-sign'], { input, env: environment });
    if (stdout === '') throw new Error(stderr);
    return Buffer.from(stdout, 'base64');
  });
  writeFileSync(path('pin'), pin, { mode: 0o600 });
  writeFileSync(path('root.pem'), rootPem);
  return {
    pinFile: path('pin'),
    rootPem,
    rootFile: path('root.pem'),
    environment,
    signedBy: { certificates: path('root.pem'), pkcs11: { ...key, pin: { file: path('pin') } } },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A root of that key, as its keeper makes it: with pathlen 1, for one authority below. */
async function rootOf(
  name: string,
  spki: Buffer,
  signDigest: (digest: Buffer) => Promise<Buffer>,
): Promise<string> {
  const { algorithm } = signatureOf(createPublicKey({ key: spki, format: 'der', type: 'spki' }));
  const keyId = keyIdentifier(spki);
  const issuer = { name: commonNameOf(name), keyId, algorithm, ...authorityValidity(Date.now()) };
  const written = Buffer.from(authorityToBeSigned(issuer, { ...issuer, subject: issuer.name, spki }));
  // basicConstraints of ours have pathlen 0: CA:TRUE with 1 in its place.
  const at = written.indexOf(Buffer.from('30060101ff020100', 'hex'));
  written[at + 7] = 1;
  const raw = await signDigest(createHash('sha256').update(written).digest());
  const signature = derSequence(derInteger(raw.subarray(0, 32)), derInteger(raw.subarray(32)));
  return encodePem('CERTIFICATE', certificateOf(written, algorithm, signature));
}
