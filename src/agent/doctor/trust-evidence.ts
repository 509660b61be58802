// Whether files trust the gateway's authority: by the certificate itself, not by the names of files.

import { defaultLimits } from '../../protocol/limits.ts';
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What is looked for: the certificates that signed for the gateway. */
export type Authority = readonly X509Certificate[];

export type FileState = 'trusts' | 'other' | 'missing';

/** The content of a file, or undefined if it is not there, not readable or too large. */
export function readBounded(path: string): Buffer | undefined {
  try {
    if (statSync(path).size > defaultLimits.doctorFileBytesMax) return undefined;
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/** The certificates of a PEM file that signed one of `chain`, or are one of it and sign themselves. */
export function authorityIn(path: string, chain: readonly X509Certificate[]): Authority {
  return certificatesOf(path).filter((candidate) => chain.some((shown) => isIssuedBy(shown, candidate)));
}

function isIssuedBy(shown: X509Certificate, candidate: X509Certificate): boolean {
  return candidate.ca && shown.checkIssued(candidate) && shown.verify(candidate.publicKey);
}

/** Whether a file, or a file of a folder, has the authority in it: as PEM, or as it is in key stores and databases. */
export function fileState(path: string, authority: Authority): FileState {
  const files = filesAt(path);
  if (files === undefined) return 'missing';
  return files.some((file) => holds(file, authority)) ? 'trusts' : 'other';
}

function holds(file: string, authority: Authority): boolean {
  const content = readBounded(file);
  if (content === undefined) return false;
  // JKS and NSS keep the DER as it is.
  const searched = [content, ...pemBlocks(content)];
  return authority.some(
    ({ raw }) =>
      searched.some((bytes) => bytes.includes(raw)) ||
      // Policies have it in JSON.
      content.includes(raw.toString('base64')),
  );
}

/** The file itself or the files of the folder; undefined where there is nothing that can be read. */
export function filesAt(path: string): readonly string[] | undefined {
  try {
    if (!statSync(path).isDirectory()) return readBounded(path) === undefined ? undefined : [path];
    return readdirSync(path)
      .toSorted()
      .slice(0, defaultLimits.doctorFolderFilesMax)
      .map((name) => join(path, name))
      .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
  } catch {
    return undefined;
  }
}

function certificatesOf(path: string): readonly X509Certificate[] {
  return pemBlocks(readBounded(path) ?? Buffer.alloc(0)).flatMap((der) => {
    try {
      return [new X509Certificate(der)];
    } catch {
      // One that is broken makes the others no worse.
      return [];
    }
  });
}

/** The DER of every block. Clients pass over what stands between them, so this does too. */
function pemBlocks(content: Buffer): readonly Buffer[] {
  const text = content.toString('latin1');
  const blocks = text.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g);
  return Array.from(blocks, ([, base64 = '']) => Buffer.from(base64, 'base64'));
}
