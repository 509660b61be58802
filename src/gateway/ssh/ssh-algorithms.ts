// What the gateway speaks of SSH, towards clients and servers alike. The library has more, which is weaker.

import type { Algorithms, CipherAlgorithm, KexAlgorithm, MacAlgorithm, ServerHostKeyAlgorithm } from 'ssh2';

/** There is none that holds against quantum computers in the library. */
const kex: KexAlgorithm[] = [
  'curve25519-sha256',
  'curve25519-sha256@libssh.org',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
];

/**
 * None with which messages that are left out before the first keys stay unseen (CVE-2023-48795, Terrapin): no chacha20-poly1305, and no
 * encrypt-then-MAC. Strict key exchange, which the library has too, does not have to be there then.
 */
const cipher: CipherAlgorithm[] = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'aes256-ctr',
  'aes128-ctr',
];
const hmac: MacAlgorithm[] = ['hmac-sha2-256', 'hmac-sha2-512'];

const ofKeyTypes: ReadonlyMap<string, readonly ServerHostKeyAlgorithm[]> = new Map([
  ['ssh-ed25519', ['ssh-ed25519']],
  ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
  ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
  ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
  // Not `ssh-rsa`, which is SHA-1.
  ['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256']],
]);

/** @param keyTypes of the keys that the server may show */
export function sshAlgorithms(keyTypes: Iterable<string>): Algorithms {
  const serverHostKey = [...new Set(keyTypes)].flatMap((type) => ofKeyTypes.get(type) ?? []);
  return { kex, cipher, hmac, compress: ['none'], serverHostKey };
}
