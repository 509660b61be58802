// An authority whose key is in a token of PKCS #11. The module is foreign code, so each signature is made in a process of its own.

import { derInteger, derOctetString, derOid, derSequence } from '../../pki/der.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import type { Pkcs11Key, Pkcs11Request } from '../../system/pkcs11-module.ts';
import type { CredentialSource } from '../credentials/sources/credential-source.ts';
import { type Digest, digestParent, type Parent } from './parent.ts';

export interface Pkcs11ParentOptions extends Pkcs11Key {
  readonly pin: CredentialSource;
  readonly clock: () => number;
  /** Makes one signature in a process of its own. */
  readonly sign: (request: Pkcs11Request) => Promise<Uint8Array>;
}

export function pkcs11Parent({ pin, clock, sign, ...key }: Pkcs11ParentOptions): Parent {
  return digestParent(`PKCS #11 (token ${key.token}, key ${key.key})`, async (digest) => {
    const secret = await pin.read(clock());
    const mechanism = digest.keyType === 'rsa' ? 'rsa' : 'ecdsa';
    const data = mechanism === 'rsa' ? digestInfo(digest) : digest.octets;
    try {
      const signature = await sign({ ...key, pin: secret.reveal(), mechanism, data });
      return mechanism === 'rsa' ? signature : ecdsaDer(signature);
    } catch (cause) {
      throw new ProxyError('ca_key_unusable', faultReason(cause), { cause });
    }
  });
}

/** r and s side by side, as a module gives them, in the form of certificates (RFC 3279 §2.2.3). */
function ecdsaDer(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2;
  return derSequence(derInteger(signature.subarray(0, half)), derInteger(signature.subarray(half)));
}

const digestOids = { sha256: '2.16.840.1.101.3.4.2.1', sha384: '2.16.840.1.101.3.4.2.2' } as const;

/** RFC 8017 §9.2: what PKCS #1 v1.5 signs of a digest. */
function digestInfo({ name, octets }: Digest): Uint8Array {
  const algorithm = derSequence(derOid(digestOids[name]), Uint8Array.of(0x05, 0x00));
  return derSequence(algorithm, derOctetString(octets));
}
