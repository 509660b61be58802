// Signatures of SSH. Those over files (PROTOCOL.sshsig of OpenSSH) are for git alone: the namespace is fixed, so none of them is a log-in, or a
// signature for another purpose. For clients of the agent of SSH the octets are given, and were read before.

import { createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import ssh2 from 'ssh2';
import type { GitHash, GitObject } from '../../understand/git-object.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { Secret } from '../../protocol/secret.ts';

const namespace = 'git';
const magic = Buffer.from('SSHSIG');
const hashName = 'sha512';
/** Smaller ones are refused by those who verify; larger ones take long. */
const rsaBits = { min: 2048, max: 8192 } as const;
const signAsync = promisify(sign);

export interface SigningPair {
  readonly privateKey: Secret<string>;
  /** Type and base64; the private key has to be the other half of it. */
  readonly publicKey: string;
}

/** In the form of PEM, as git puts it into the object. @throws ProxyError credential_unavailable */
export async function signForGit(
  octets: Uint8Array,
  { privateKey, publicKey }: SigningPair,
): Promise<string> {
  const { key, type, blob } = openKey(privateKey, publicKey);
  const digest = createHash(hashName).update(octets).digest();
  const common = [field(namespace), field(''), field(hashName)];
  const signed = await signatureOf(Buffer.concat([magic, ...common, field(digest)]), key, { type });
  const version = Buffer.from([0, 0, 0, 1]);
  const whole = Buffer.concat([magic, version, field(blob), ...common, field(signed)]);
  const lines = whole.toString('base64').match(/.{1,70}/g) ?? [];
  return ['-----BEGIN SSH SIGNATURE-----', ...lines, '-----END SSH SIGNATURE-----', ''].join('\n');
}

/** As an agent of SSH responds: the algorithm and the signature. @throws ProxyError credential_unavailable */
export async function signForAgent(
  { data, algorithm }: { readonly data: Uint8Array; readonly algorithm: string },
  { privateKey, publicKey }: SigningPair,
): Promise<Buffer> {
  const { key, type } = openKey(privateKey, publicKey);
  const hash = type === 'ssh-rsa' ? /^rsa-sha2-(256|512)$/.exec(algorithm)?.[1] : undefined;
  if (hash === undefined && algorithm !== type) throw unusable(`it makes no signatures of ${algorithm}`);
  return await signatureOf(data, key, { type, ...(hash === undefined ? {} : { rsaHash: `sha${hash}` }) });
}

/** The id that git gives the object with this signature in it. */
export function signedId(
  octets: Uint8Array,
  { kind, hash }: Pick<GitObject, 'kind' | 'hash'>,
  armor: string,
): string {
  const bytes = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
  const whole = kind === 'tag' ? Buffer.concat([bytes, Buffer.from(armor)]) : withHeader(bytes, hash, armor);
  return createHash(hash).update(`${kind} ${whole.length}\0`).update(whole).digest('hex');
}

/** As the last header of the commit, each line but the first behind a blank. */
function withHeader(commit: Buffer, hash: GitHash, armor: string): Buffer {
  const at = commit.indexOf('\n\n') + 1;
  const folded = armor.trimEnd().replaceAll('\n', '\n ');
  const header = `${hash === 'sha1' ? 'gpgsig' : 'gpgsig-sha256'} ${folded}\n`;
  return Buffer.concat([commit.subarray(0, at), Buffer.from(header), commit.subarray(at)]);
}

/** `SHA256:…`, as ssh-keygen and git show it. */
export function keyFingerprint(publicKey: string): string {
  const blob = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replaceAll('=', '')}`;
}

function openKey(
  secret: Secret<string>,
  publicKey: string,
): { readonly key: KeyObject; readonly type: string; readonly blob: Buffer } {
  const parsed = ssh2.utils.parseKey(secret.reveal());
  if (parsed instanceof Error || !parsed.isPrivateKey())
    throw unusable('it is no private key of SSH without a passphrase');
  const { type } = parsed;
  const blob = parsed.getPublicSSH();
  if (`${type} ${blob.toString('base64')}` !== publicKey)
    throw unusable('it is not the private half of "publicKey" in the configuration');
  const key = createPrivateKey(parsed.getPrivatePEM());
  const bits = key.asymmetricKeyDetails?.modulusLength ?? rsaBits.min;
  if (bits < rsaBits.min || bits > rsaBits.max)
    throw unusable(`a key of RSA has ${rsaBits.min} to ${rsaBits.max} bits`);
  return { key, type, blob };
}

function unusable(why: string): ProxyError {
  return new ProxyError('credential_unavailable', `the key that signs cannot be used: ${why}`);
}

/** Of ECDSA the hash follows from the curve (RFC 5656 §6.2.1). */
export const curves: ReadonlyMap<string, { readonly hash: string; readonly octets: number }> = new Map([
  ['ecdsa-sha2-nistp256', { hash: 'sha256', octets: 32 }],
  ['ecdsa-sha2-nistp384', { hash: 'sha384', octets: 48 }],
  ['ecdsa-sha2-nistp521', { hash: 'sha512', octets: 66 }],
]);

/** Type and signature in one text (RFC 8709 §6, RFC 8332 §3, RFC 5656 §3.1.2). */
async function signatureOf(
  data: Uint8Array,
  key: KeyObject,
  { type, rsaHash = 'sha512' }: { readonly type: string; readonly rsaHash?: string },
): Promise<Buffer> {
  if (type === 'ssh-ed25519') return Buffer.concat([field(type), field(await signAsync(null, data, key))]);
  if (type === 'ssh-rsa')
    return Buffer.concat([
      field(`rsa-sha2-${rsaHash.slice('sha'.length)}`),
      field(await signAsync(rsaHash, data, key)),
    ]);
  const hash = curves.get(type)?.hash;
  if (hash === undefined) throw unusable(`nothing is signed with a key of type ${type}`);
  const both = await signAsync(hash, data, { key, dsaEncoding: 'ieee-p1363' });
  const half = both.length / 2;
  return Buffer.concat([
    field(type),
    field(Buffer.concat([integer(both.subarray(0, half)), integer(both.subarray(half))])),
  ]);
}

/** RFC 4251 §5, `mpint`, of what is positive. */
function integer(octets: Buffer): Buffer {
  const from = octets.findIndex((one) => one !== 0);
  const short = octets.subarray(from < 0 ? octets.length : from);
  return field((short[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), short]) : short);
}

function field(content: string | Uint8Array): Buffer {
  const octets = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(octets.length);
  return Buffer.concat([length, octets]);
}
