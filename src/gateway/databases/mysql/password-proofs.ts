// How a password is shown to a server that knows it, for what the server sent to make it from.

import { createHash } from 'node:crypto';
import type { MysqlLoginMethod } from '../../../policy/mysql-end.ts';
import { ed25519Proof, ed25519NonceBytes } from './ed25519-proof.ts';
import { nonceBytes } from './greeting.ts';

/** How long what they are made from has to be; a zero may follow. */
export const nonceBytesOf: Readonly<Record<MysqlLoginMethod, number>> = {
  caching_sha2_password: nonceBytes,
  client_ed25519: ed25519NonceBytes,
  mysql_native_password: nonceBytes,
};

/** @param nonce as long as the method has it */
export function passwordProof(method: MysqlLoginMethod, password: string, nonce: Uint8Array): Uint8Array {
  switch (method) {
    case 'caching_sha2_password':
      return hiddenHash('sha256', password, (twice) => [twice, nonce]);
    case 'mysql_native_password':
      return hiddenHash('sha1', password, (twice) => [nonce, twice]);
    case 'client_ed25519':
      return ed25519Proof(password, nonce);
  }
}

/** The hash of the password, hidden by one that only who knows the hash of that hash can make. */
function hiddenHash(
  algorithm: string,
  password: string,
  parts: (twice: Uint8Array) => readonly Uint8Array[],
): Uint8Array {
  const hash = (...pieces: readonly Uint8Array[]): Buffer => {
    const one = createHash(algorithm);
    for (const piece of pieces) one.update(piece);
    return one.digest();
  };
  const once = hash(Buffer.from(password, 'utf8'));
  const hiding = hash(...parts(hash(once)));
  return once.map((octet, at) => octet ^ (hiding[at] ?? 0));
}
