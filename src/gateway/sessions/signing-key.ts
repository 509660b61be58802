// The gateway's own Ed25519 key: it signs session tokens and access tokens.

import { removeLeftNames } from '../../pki/left-names.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

/** Name of the key file in its directory. */
export const signingKeyFile = 'signing-key.pem';

/** The one that is to follow: what it signed is taken already, and it signs nothing yet. */
export const nextSigningKeyFile = `next-${signingKeyFile}`;

/** The public half of the one of before: what it signed is taken on. */
export const oldSigningKeyFile = `old-${signingKeyFile}`;

/** Claims or header of a JWT, before they are signed. */
export type JwtMembers = Readonly<Record<string, unknown>>;

/** What a token says of itself that was not verified. */
export interface UnknownToken {
  readonly kid: unknown;
  /** `iat`, in seconds. */
  readonly iat: unknown;
  readonly nowMs: number;
}

/** Signs JWTs. The private half is never given out. */
export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string;
  readonly publicKey: KeyObject;
  /** The public key by which a token of that `kid` is verified; undefined if it is none of ours. */
  publicKeyOf(kid: unknown): KeyObject | undefined;
  /**
   * The same for a token of somebody: a key that is not known may be newer than what was read, and is looked for. Throws `store_unavailable`
   * where it may still come.
   */
  soughtKey?(token: UnknownToken): Promise<KeyObject | undefined>;
  /** This one, and those that are accepted beside it. */
  readonly publicKeys: readonly KeyObject[];
  /** The signature of a text that begins with a context of its own, which no JWT does. */
  signText(text: Uint8Array): Uint8Array;
  /** A compact JWS (RFC 7515) with `alg: EdDSA` and this key's `kid`. */
  signJwt(typ: string, claims: JwtMembers): string;
}

/**
 * Opens the key in the directory, or creates both (0700, 0600) if there is none.
 * A key that exists and cannot be used is ProxyError `signing_key_unusable`, never a new key:
 * a new one would silently void every token that is out.
 */
export async function openSigningKey(directory: string): Promise<SigningKey> {
  const path = join(directory, signingKeyFile);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    removeLeftNames(directory);
    const existing = await readKeyFile(path);
    if (existing === undefined) await createKeyFile(directory, path);
    return await readSigningKeys(directory);
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    throw unusable(path, faultReason(error), error);
  }
}

/**
 * Reads the key of the directory, and what is accepted beside it while it rotates; makes nothing. Throws `signing_key_unusable`
 * also where there is none.
 */
export async function readSigningKeys(directory: string): Promise<SigningKey> {
  const current = await readSigningKey(join(directory, signingKeyFile));
  const others: KeyObject[] = [];
  for (const name of [nextSigningKeyFile, oldSigningKeyFile]) {
    const publicKey = await readPublicKey(join(directory, name));
    if (publicKey !== undefined) others.push(publicKey);
  }
  return signingKeyWith(current, others);
}

/** The key, with those that are accepted beside it. */
export function signingKeyWith(current: SigningKey, accepted: readonly KeyObject[]): SigningKey {
  const others = new Map(accepted.map((key) => [thumbprintOf(key, 'beside it'), key]));
  return {
    ...current,
    publicKeys: [current.publicKey, ...others.values()],
    publicKeyOf: (kid) => current.publicKeyOf(kid) ?? (typeof kid === 'string' ? others.get(kid) : undefined),
  };
}

/** Of the public half in a file. Undefined if there is none. Throws `signing_key_unusable`. */
export async function readPublicKid(path: string): Promise<string | undefined> {
  const publicKey = await readPublicKey(path);
  return publicKey === undefined ? undefined : thumbprintOf(publicKey, path);
}

async function readPublicKey(path: string): Promise<KeyObject | undefined> {
  try {
    const text = await readKeyText(path);
    return text === undefined ? undefined : createPublicKey(text);
  } catch (error) {
    throw error instanceof ProxyError ? error : unusable(path, faultReason(error));
  }
}

/** The key of a file that is there. Throws `signing_key_unusable`. */
export async function readSigningKey(path: string): Promise<SigningKey> {
  try {
    const key = await readKeyFile(path);
    if (key === undefined) throw unusable(path, 'it is not there');
    return signingKeyOf(key, path);
  } catch (error) {
    throw error instanceof ProxyError ? error : unusable(path, faultReason(error));
  }
}

/** The private half itself, to give it to a store. Throws `signing_key_unusable`. */
export async function readPrivateKey(path: string): Promise<KeyObject> {
  // What is wrong with it is said by the check.
  await readSigningKey(path);
  const key = await readKeyFile(path);
  if (key === undefined) throw unusable(path, 'it is not there');
  return key;
}

/** The public key of a token. Throws `store_unavailable` where it may be one that is not known yet. */
export async function keyOfToken(key: SigningKey, token: UnknownToken): Promise<KeyObject | undefined> {
  return key.publicKeyOf(token.kid) ?? (await key.soughtKey?.(token));
}

/** A key that lives in memory only, for tokens that need not outlive the process; a fresh one if none is given. */
export function createSigningKey(
  privateKey: KeyObject = generateKeyPairSync('ed25519').privateKey,
): SigningKey {
  return signingKeyOf(privateKey, 'in memory');
}

async function readKeyFile(path: string): Promise<KeyObject | undefined> {
  const text = await readKeyText(path);
  return text === undefined ? undefined : createPrivateKey(text);
}

async function readKeyText(path: string): Promise<Buffer | undefined> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const status = await file.stat();
    if (!status.isFile()) throw unusable(path, 'it is not a regular file');
    if ((status.mode & 0o077) !== 0) throw unusable(path, 'others may read it; make it mode 600');
    if (status.uid !== process.geteuid?.() && status.uid !== 0)
      throw unusable(path, 'it belongs to another user');
    if (status.size > defaultLimits.signingKeyBytesMax) throw unusable(path, 'it is too large for a key');
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Written whole under another name and then linked: nobody ever sees half a key, and the first of two wins. */
async function createKeyFile(directory: string, path: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const temporary = join(directory, `.${signingKeyFile}.${randomBytes(8).toString('hex')}`);
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await file.sync();
    await link(temporary, path);
  } catch (error) {
    // Theirs is read as ours would be.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await file.close();
    await unlink(temporary);
  }
}

function signingKeyOf(privateKey: KeyObject, path: string): SigningKey {
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyType !== 'ed25519') {
    throw unusable(path, 'it is not an Ed25519 private key');
  }
  const publicKey = createPublicKey(privateKey);
  const kid = thumbprintOf(publicKey, path);
  const signJwt = (typ: string, claims: JwtMembers): string => {
    const input = `${encode({ alg: 'EdDSA', typ, kid })}.${encode(claims)}`;
    return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
  };
  return {
    kid,
    publicKey,
    publicKeys: [publicKey],
    publicKeyOf: (asked) => (asked === kid ? publicKey : undefined),
    signText: (text) => sign(null, text, privateKey),
    signJwt,
  };
}

/** The keys as agents learn them: 32 octets each, base64url. */
export function linkKeysOf({ publicKeys }: Pick<SigningKey, 'publicKeys'>): readonly string[] {
  return publicKeys.map((key) => key.export({ format: 'jwk' }).x ?? '');
}

export function thumbprintOf(publicKey: KeyObject, path: string): string {
  if (publicKey.asymmetricKeyType !== 'ed25519') throw unusable(path, 'it is not an Ed25519 key');
  const { crv, kty, x } = publicKey.export({ format: 'jwk' });
  // RFC 7638 §3: the required members in lexicographic order, without space.
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
}

function encode(members: JwtMembers): string {
  return Buffer.from(JSON.stringify(members)).toString('base64url');
}

function unusable(path: string, why: string, cause?: unknown): ProxyError {
  return new ProxyError(
    'signing_key_unusable',
    `The signing key ${path} cannot be used: ${why}. Correct or restore the file; ` +
      'moving it away makes a new key and voids all session tokens.',
    { cause },
  );
}
