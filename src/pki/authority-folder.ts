// The certificate authority of a folder.

import { openAuthorityFiles, readAuthorityFiles } from './authority-files.ts';
import { type KeyFiles, plainKeyFiles } from './key-files.ts';
import { authorityOf, type CertificateAuthority, createPair } from './certificate-authority.ts';

export interface OpenAuthorityOptions {
  readonly nowMs: number;
  /** Shown in trust stores; 8 hexadecimal digits are appended, so that no two authorities share a name. */
  readonly commonName?: string;
  /** The files are `<name>.key` and `<name>.pem`; default `ca`. */
  readonly name?: string;
  /** How its key is in the file; default: as it is. */
  readonly keys?: KeyFiles;
  /** Of one that is made: the names that it may certify, with what is below them; default: every name. */
  readonly names?: readonly string[];
}

/**
 * Opens the authority of a folder, and makes it on first use: a P-256 key with mode 0600, in a folder with mode 0700.
 * An existing key is never replaced: throws ProxyError `ca_key_unusable` when it cannot be used, and says why.
 */
export async function openCertificateAuthority(
  directory: string,
  options: OpenAuthorityOptions,
): Promise<CertificateAuthority> {
  const { nowMs, commonName, name = 'ca', keys = plainKeyFiles, names } = options;
  const pair = await openAuthorityFiles({
    directory,
    name,
    create: () => createPair(nowMs, commonName, names),
    keys,
  });
  return authorityOf(pair, nowMs);
}

/** Reads the authority of a folder that has one, and makes nothing. Throws as `openCertificateAuthority` does. */
export async function readCertificateAuthority(
  directory: string,
  { nowMs, name = 'ca', keys = plainKeyFiles }: OpenAuthorityOptions,
): Promise<CertificateAuthority> {
  return authorityOf(await readAuthorityFiles(directory, name, keys), nowMs);
}
