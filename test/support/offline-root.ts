// A root whose key no gateway has: made and used with OpenSSL, as its keeper would.

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Extensions as openssl x509v3_config has them. */
export interface SignOptions {
  readonly days?: number;
  readonly digest?: string;
  readonly extensions?: readonly string[];
}

export interface OfflineRoot extends Disposable {
  readonly pem: string;
  /** The certificate for a request, alone. */
  sign(request: string, options?: SignOptions): string;
  /** An authority of the keeper below this one. */
  below(name: string, options?: SignOptions): OfflineRoot;
  /** The same root, with the same key, for so many days from now on. */
  renewed(days: number): OfflineRoot;
}

/** What a keeper gives to an authority of a gateway. */
export const intermediateExtensions: readonly string[] = [
  'basicConstraints=critical,CA:TRUE,pathlen:0',
  'keyUsage=critical,keyCertSign,cRLSign',
  'subjectKeyIdentifier=hash',
  'authorityKeyIdentifier=keyid',
  'extendedKeyUsage=serverAuth',
];

const elliptic: readonly string[] = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

export interface RootOptions {
  readonly name?: string;
  /** As openssl req -newkey takes it. */
  readonly key?: readonly string[];
  readonly basicConstraints?: string;
  readonly days?: number;
}

export function offlineRoot({
  name = 'Offline Root',
  key = elliptic,
  basicConstraints = 'critical,CA:TRUE',
  days = 3650,
}: RootOptions = {}): OfflineRoot {
  const folder = mkdtempSync(join(tmpdir(), 'offline-root-'));
  const extensions = [`basicConstraints=${basicConstraints}`, 'keyUsage=critical,keyCertSign,cRLSign'];
  openssl(
    ['req', '-x509', '-new', '-noenc', '-newkey', ...key, '-subj', `/CN=${name}`, '-days', String(days)],
    ['-keyout', join(folder, 'ca.key'), '-out', join(folder, 'ca.pem')],
    extensions.flatMap((one) => ['-addext', one]),
  );
  return authorityIn(folder);
}

function authorityIn(folder: string): OfflineRoot {
  const file = (name: string): string => join(folder, name);
  const sign = (
    request: string,
    { days = 365, digest = 'sha256', extensions = intermediateExtensions }: SignOptions = {},
  ): string => {
    writeFileSync(file('request.csr'), request);
    writeFileSync(file('extensions'), `${extensions.join('\n')}\n`);
    openssl(
      ['x509', '-req', `-${digest}`, '-days', String(days), '-in', file('request.csr')],
      ['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-extfile', file('extensions')],
      ['-out', file('signed.pem')],
    );
    return readFileSync(file('signed.pem'), 'utf8');
  };
  return {
    pem: readFileSync(file('ca.pem'), 'utf8'),
    sign,
    below: (name, options) => {
      const own = mkdtempSync(join(tmpdir(), 'offline-ca-'));
      const [key, request] = [join(own, 'ca.key'), join(own, 'ca.csr')];
      openssl(
        ['req', '-new', '-noenc', '-newkey', ...elliptic, '-subj', `/CN=${name}`],
        ['-keyout', key, '-out', request],
      );
      writeFileSync(join(own, 'ca.pem'), sign(readFileSync(request, 'utf8'), options));
      return authorityIn(own);
    },
    renewed: (days) => {
      const own = mkdtempSync(join(tmpdir(), 'offline-root-'));
      copyFileSync(file('ca.key'), join(own, 'ca.key'));
      openssl(
        ['x509', '-in', file('ca.pem'), '-signkey', file('ca.key'), '-days', String(days)],
        ['-out', join(own, 'ca.pem')],
      );
      return authorityIn(own);
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function openssl(...args: readonly (readonly string[])[]): void {
  execFileSync('openssl', args.flat(), { stdio: ['ignore', 'ignore', 'pipe'] });
}
