// The key that clients of SSH see of every server behind the gateway. It follows from the signing key, so that all gateways and processes
// which share that have the same, and nobody who has not can make it.

import { createHash, createPrivateKey } from 'node:crypto';
import { isKnownHosts } from '../../protocol/known-hosts.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { SigningKey } from '../sessions/signing-key.ts';

/** No JWT begins so. */
const context = Buffer.from('upstreamproxy ssh host key 1\n');
const keyType = 'ssh-ed25519';
/** PKCS #8 of an Ed25519 key up to its seed (RFC 8410 §7). */
const pkcs8Start = Buffer.from('302e020100300506032b657004220420', 'hex');

interface HostKey {
  /** As OpenSSH writes it (PROTOCOL.key), without a passphrase. */
  readonly privateKey: string;
  /** As known_hosts has it. */
  readonly publicKey: string;
}

type Signing = Pick<SigningKey, 'signText'>;

/** A signature of Ed25519 is the same each time, and nobody can tell it beforehand (RFC 8032 §5.1.6). */
export function sshHostKey(signingKey: Signing): HostKey {
  const seed = createHash('sha256').update(signingKey.signText(context)).digest();
  const key = createPrivateKey({ key: Buffer.concat([pkcs8Start, seed]), format: 'der', type: 'pkcs8' });
  const point = Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
  const blob = Buffer.concat([field(keyType), field(point)]);
  const secret = Buffer.concat([
    // Two words that are the same show that no passphrase is wrong.
    Buffer.alloc(8),
    field(keyType),
    field(point),
    field(Buffer.concat([seed, point])),
    field(''),
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (secret.length % 8)) % 8 }, (_, i) => i + 1));
  const body = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    field('none'),
    field('none'),
    field(''),
    Buffer.from([0, 0, 0, 1]),
    field(blob),
    field(Buffer.concat([secret, padding])),
  ]).toString('base64');
  const lines = body.match(/.{1,70}/g) ?? [];
  return {
    privateKey: `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines.join('\n')}\n-----END OPENSSH PRIVATE KEY-----\n`,
    publicKey: `${keyType} ${blob.toString('base64')}`,
  };
}

interface KnownHosts {
  readonly text: string;
  /** How many hosts have no line: an agent would not take it, or not so many. */
  readonly leftOut: number;
}

/** Lines of known_hosts for hosts as a policy has them: `host:port`, `*.name:port`. */
export function knownHosts(hosts: readonly string[], signingKey: Signing): KnownHosts {
  if (hosts.length === 0) return { text: '', leftOut: 0 };
  const { publicKey } = sshHostKey(signingKey);
  let [text, leftOut] = ['', 0];
  for (const host of new Set(hosts)) {
    const line = `${patternOf(host)} ${publicKey}\n`;
    const isTaken = text.length + line.length <= defaultLimits.knownHostsOctetsMax && isKnownHosts(line);
    if (isTaken) text += line;
    else leftOut += 1;
  }
  return { text, leftOut };
}

function patternOf(text: string): string {
  const colon = text.lastIndexOf(':');
  const named = text.slice(0, colon);
  const host = named.startsWith('[') ? named.slice(1, -1) : named;
  const port = text.slice(colon + 1);
  return port === '22' ? host : `[${host}]:${port}`;
}

function field(content: string | Uint8Array): Buffer {
  const octets = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(octets.length);
  return Buffer.concat([length, octets]);
}
