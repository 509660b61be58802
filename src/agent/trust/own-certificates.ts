// The session's certificates in a file each: Firefox takes the first certificate of a file and no more.

import { dirname, join } from 'node:path';

/** Beside the file that has all of them. */
export const ownCertificatesPlace = 'certificates';

/** @param index from 0, in the order of the file that has all */
export function ownCertificateName(index: number): string {
  return `${index + 1}.pem`;
}

/** @param ownCa the file that has all @param count how many those are */
export function ownCertificateFiles(ownCa: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) =>
    join(dirname(ownCa), ownCertificatesPlace, ownCertificateName(index)),
  );
}
