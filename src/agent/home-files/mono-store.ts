// Mono's store of certificates below HOME: a hashed folder, as `cert-sync --user` fills it.

import { X509Certificate } from 'node:crypto';
import { splitPemCertificates } from '../../pki/pem.ts';
import { hashedNames } from '../../pki/subject-hash.ts';
import type { HomeFile } from './home-file-table.ts';
import { marked } from '../placements/own-mark.ts';

/** Below HOME. */
export const monoTrustFolder = '.config/.mono/new-certs/Trust';

/** The files that make Mono trust these certificates. Pure. */
export function monoStore(pem: string): readonly HomeFile[] {
  const certificates = splitPemCertificates(pem);
  const names = hashedNames(certificates.map((certificate) => new X509Certificate(certificate).raw));
  return certificates.map((text, index) => ({
    path: `${monoTrustFolder}/${names[index]}`,
    mode: 0o644,
    text: marked(text),
  }));
}
