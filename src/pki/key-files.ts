// How the key of an authority is in its file: as it is, or encrypted with a passphrase (PKCS #8, RFC 5958, with scrypt, RFC 7914 §7).

import { createCipheriv, createPrivateKey, type KeyObject, randomBytes, scryptSync } from 'node:crypto';
import { ProxyError } from '../protocol/error.ts';
import { der, derInteger, derOctetString, derOid, derSequence, derTag } from './der.ts';
import { encodePem } from './pem.ts';

/** Reads and writes the key files of one authority. Both throw `ca_key_unusable`, which has nothing of a key or passphrase. */
export interface KeyFiles {
  readonly encrypts: boolean;
  /** `path` is for messages. */
  read(text: string, path: string): Promise<KeyObject>;
  write(key: KeyObject): Promise<string>;
}

/** What is encrypted is refused. */
export const plainKeyFiles: KeyFiles = {
  encrypts: false,
  read: async (text, path) => {
    if (isEncrypted(text))
      throw unusable(
        `${path} is encrypted, and no passphrase is configured: name where it is as certificateAuthority.passphrase`,
      );
    return parsed(text, path);
  },
  write: async (key) => key.export({ type: 'pkcs8', format: 'pem' }).toString(),
};

/** Written with a passphrase, which is asked for when a file is another one than before; files that are not encrypted are read as they are. */
export function encryptedKeyFiles(passphrase: () => Promise<string>): KeyFiles {
  /** By what is in the file. */
  const known = new Map<string, KeyObject>();
  const keep = (text: string, key: KeyObject): void => {
    known.set(text, key);
    for (const oldest of known.keys()) {
      if (known.size <= keptCount) break;
      known.delete(oldest);
    }
  };
  return {
    encrypts: true,
    read: async (text, path) => {
      if (!isEncrypted(text)) return parsed(text, path);
      const before = known.get(text);
      if (before !== undefined) return before;
      const key = opened(text, await passphrase(), path);
      keep(text, key);
      return key;
    },
    write: async (key) => {
      const text = encryptKey(key, await passphrase());
      keep(text, key);
      return text;
    },
  };
}

/** The current key, the next one, and one that waits: gateways look again and again, and each derivation stops a process for a moment. */
const keptCount = 3;

export function isEncrypted(text: string): boolean {
  return /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text);
}

function parsed(text: string, path: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    // No cause: the parser's error may carry a piece of what it read.
    throw unusable(`${path} is not a private key in PEM; it is left as it is`);
  }
}

function opened(text: string, passphrase: string, path: string): KeyObject {
  try {
    return createPrivateKey({ key: text, passphrase });
  } catch {
    throw unusable(
      `${path} does not open with certificateAuthority.passphrase: it is another passphrase, or the file is damaged`,
    );
  }
}

/** More than what people make up; who copies the file can guess as long as they like. */
const passphraseCharactersMin = 16;
const keyBytes = 32;
/** As OpenSSL writes it: 16 MiB for each guess. It opens nothing that takes more than 32 MiB. */
const cost = { N: 16_384, r: 8, p: 1 } as const;

function encryptKey(key: KeyObject, passphrase: string): string {
  if (passphrase.length < passphraseCharactersMin)
    throw unusable(
      `certificateAuthority.passphrase has fewer than ${passphraseCharactersMin} characters: make one by "openssl rand -base64 24"`,
    );
  const [salt, iv] = [randomBytes(16), randomBytes(16)];
  const derived = scryptSync(passphrase, salt, keyBytes, cost);
  const cipher = createCipheriv('aes-256-cbc', derived, iv);
  const plain = key.export({ type: 'pkcs8', format: 'der' });
  const data = Buffer.concat([cipher.update(plain), cipher.final()]);
  plain.fill(0);
  derived.fill(0);
  const scrypt = derSequence(
    derOid('1.3.6.1.4.1.11591.4.11'),
    derSequence(
      derOctetString(salt),
      derNumber(cost.N),
      derNumber(cost.r),
      derNumber(cost.p),
      derNumber(keyBytes),
    ),
  );
  const aes = derSequence(derOid('2.16.840.1.101.3.4.1.42'), derOctetString(iv));
  // PBES2 (RFC 8018 §6.2).
  const algorithm = derSequence(derOid('1.2.840.113549.1.5.13'), derSequence(scrypt, aes));
  return encodePem('ENCRYPTED PRIVATE KEY', derSequence(algorithm, der(derTag.octetString, data)));
}

function derNumber(value: number): Uint8Array {
  return derInteger(Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff));
}

function unusable(message: string): ProxyError {
  return new ProxyError('ca_key_unusable', message);
}
