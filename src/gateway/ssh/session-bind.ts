// Whether a server of SSH has proved its key in a session: its signature over the first exchange hash of that session, which is its id (RFC 4253 §7.2, §8).

import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { promisify } from 'node:util';
import ssh2 from 'ssh2';
import type { SessionBind } from '../../understand/ssh-agent-request.ts';
import { curves } from './ssh-signature.ts';

const verifyAsync = promisify(verify);

/** Type and base64, as rules have the keys of servers. */
export function publicKeyText(octets: Uint8Array): string {
  const blob = Buffer.from(octets);
  const [type] = stringsOf(blob) ?? [];
  return `${type?.toString('latin1') ?? ''} ${blob.toString('base64')}`;
}

/** @param bind of a key that a rule names: what it costs to verify by others is not bounded */
export async function isProven({ hostKey, sessionId, signature }: SessionBind): Promise<boolean> {
  const parsed = ssh2.utils.parseKey(publicKeyText(hostKey));
  const read = readSignature(Buffer.from(signature));
  if (parsed instanceof Error || read === undefined || !parsed.getPublicSSH().equals(hostKey)) return false;
  const key = createPublicKey(parsed.getPublicPEM());
  return await isSigned({ key, type: parsed.type, sessionId, ...read });
}

interface Signed {
  readonly key: KeyObject;
  readonly type: string;
  readonly sessionId: Uint8Array;
  readonly algorithm: string;
  readonly octets: Buffer;
}

async function isSigned({ key, type, sessionId, algorithm, octets }: Signed): Promise<boolean> {
  if (type === 'ssh-ed25519') return algorithm === type && (await verifyAsync(null, sessionId, key, octets));
  if (type === 'ssh-rsa') {
    // Not `ssh-rsa`, which is SHA-1.
    const hash = /^rsa-sha2-(256|512)$/.exec(algorithm)?.[1];
    return hash !== undefined && (await verifyAsync(`sha${hash}`, sessionId, key, octets));
  }
  const curve = curves.get(type);
  if (curve === undefined || algorithm !== type) return false;
  const both = twoIntegers(octets, curve.octets);
  return (
    both !== undefined && (await verifyAsync(curve.hash, sessionId, { key, dsaEncoding: 'ieee-p1363' }, both))
  );
}

function readSignature(blob: Buffer): { readonly algorithm: string; readonly octets: Buffer } | undefined {
  const [algorithm, octets, ...more] = stringsOf(blob) ?? [];
  if (algorithm === undefined || octets === undefined || more.length > 0) return undefined;
  return { algorithm: algorithm.toString('latin1'), octets };
}

/** Of ECDSA (RFC 5656 §3.1.2), each of the length of its curve. */
function twoIntegers(octets: Buffer, length: number): Buffer | undefined {
  const integers = stringsOf(octets);
  if (integers?.length !== 2) return undefined;
  const padded = integers.flatMap((one) => {
    const short = one[0] === 0 ? one.subarray(1) : one;
    return short.length > length ? [] : [Buffer.concat([Buffer.alloc(length - short.length), short])];
  });
  return padded.length === 2 ? Buffer.concat(padded) : undefined;
}

/** Strings of RFC 4251 §5, and nothing else; undefined: it is not of that form. */
function stringsOf(octets: Buffer): readonly Buffer[] | undefined {
  const strings: Buffer[] = [];
  for (let at = 0; at < octets.length;) {
    if (octets.length - at < 4) return undefined;
    const length = octets.readUInt32BE(at);
    if (length > octets.length - at - 4 || strings.length === 4) return undefined;
    strings.push(octets.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return strings;
}
