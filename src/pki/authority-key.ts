// The key of an authority that we make.

import { generateKeyPairSync, type KeyObject } from 'node:crypto';

/** The kind that every client takes. */
export function createKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}
