// Mercurial by its wire protocol and darcs by files: each with an empty repository at /project.

import { gzipSync } from 'node:zlib';

import type { OriginHandler } from './handler.ts';
import { binary, staticFiles, text } from './handler.ts';

const mercurialType = 'application/mercurial-0.1';
const noRevision = '0'.repeat(40);

/** The commands that a clone of an empty repository asks for. */
export const mercurialServer: OriginHandler = ({ path, query }) => {
  if (path !== '/project') return undefined;
  switch (query.get('cmd')) {
    case 'capabilities':
      return text('lookup known getbundle pushkey', mercurialType);
    case 'heads':
      return text(`${noRevision}\n`, mercurialType);
    case 'batch':
      // The responses of `heads` and `known`.
      return text(`${noRevision}\n;`, mercurialType);
    case 'lookup':
      return text(`1 ${noRevision}\n`, mercurialType);
    case 'known':
    case 'listkeys':
      return text('', mercurialType);
    default:
      return undefined;
  }
};

export function darcsRepository(): OriginHandler {
  // SHA-256 of no bytes, which is what an empty tree is.
  const nothing = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  return staticFiles({
    '/project/_darcs/format': text('hashed\ndarcs-2\n'),
    '/project/_darcs/hashed_inventory': text(`pristine:${nothing}\n`),
    [`/project/_darcs/pristine.hashed/${nothing}`]: binary(gzipSync('')),
    '/project/_darcs/prefs/motd': text(''),
  });
}
