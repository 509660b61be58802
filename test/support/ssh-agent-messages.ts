// Messages to an agent of SSH as clients write them, and as nobody does.

import { createHash, createPrivateKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { agentFrame, bindExtension } from '../../src/protocol/ssh-agent.ts';
import type { Random } from '../../fuzz/run-target.ts';

/** A string of RFC 4251 §5. */
export const field = (content: string | Uint8Array): Buffer => framed(Buffer.from(content));
const framed = (message: Uint8Array): Buffer => Buffer.from(agentFrame(message));
const octet = (value: number): Buffer => Buffer.of(value);
const number = (value: number): Buffer => {
  const octets = Buffer.alloc(4);
  octets.writeUInt32BE(value);
  return octets;
};

export interface TestKey {
  readonly privateKey: KeyObject;
  readonly blob: Buffer;
  /** As rules have it. */
  readonly text: string;
}

/** PKCS #8 of an Ed25519 key up to its seed (RFC 8410 §7). */
const pkcs8Start = Buffer.from('302e020100300506032b657004220420', 'hex');

/** @param seed of a key that is the same each time */
export function ed25519Key(seed: Uint8Array = randomBytes(32)): TestKey {
  const der = Buffer.concat([pkcs8Start, seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const point = Buffer.from(privateKey.export({ format: 'jwk' }).x ?? '', 'base64url');
  const blob = Buffer.concat([field('ssh-ed25519'), field(point)]);
  return { privateKey, blob, text: `ssh-ed25519 ${blob.toString('base64')}` };
}

export const identitiesRequest = framed(octet(11));

interface BindFields {
  readonly server: Pick<TestKey, 'blob' | 'privateKey'>;
  readonly sessionId: Buffer;
  readonly isForwarding?: number;
  readonly signature?: Buffer;
  readonly name?: string;
}

export function bindRequest({
  server,
  sessionId,
  isForwarding = 0,
  signature,
  name = bindExtension,
}: BindFields): Buffer {
  const signed =
    signature ?? Buffer.concat([field('ssh-ed25519'), field(sign(null, sessionId, server.privateKey))]);
  return framed(
    Buffer.concat([
      octet(27),
      field(name),
      field(server.blob),
      field(sessionId),
      field(signed),
      octet(isForwarding),
    ]),
  );
}

export function signRequest(key: Buffer, data: Buffer, flags = 0): Buffer {
  return framed(Buffer.concat([octet(13), field(key), field(data), number(flags)]));
}

interface LogInFields {
  readonly sessionId: Buffer;
  readonly key: Buffer;
  readonly user?: string;
  readonly service?: string;
  readonly method?: string;
  readonly algorithm?: string;
  readonly hasSignature?: number;
  /** Of a log-in that names its server. */
  readonly hostKey?: Buffer;
}

export function logInData({
  sessionId,
  key,
  user = 'deploy',
  service = 'ssh-connection',
  hostKey,
  method = hostKey === undefined ? 'publickey' : 'publickey-hostbound-v00@openssh.com',
  algorithm = 'ssh-ed25519',
  hasSignature = 1,
}: LogInFields): Buffer {
  return Buffer.concat([
    field(sessionId),
    octet(50),
    field(user),
    field(service),
    field(method),
    octet(hasSignature),
    field(algorithm),
    field(key),
    ...(hostKey === undefined ? [] : [field(hostKey)]),
  ]);
}

export function hashData(namespace = 'git', hash = 'sha512', reserved = '', octets = 'a commit'): Buffer {
  const digest = hash.startsWith('sha') ? createHash(hash).update(octets).digest() : Buffer.alloc(32);
  return Buffer.concat([
    Buffer.from('SSHSIG'),
    field(namespace),
    field(reserved),
    field(hash),
    field(digest),
  ]);
}

const server = ed25519Key(Buffer.alloc(32, 1));
const key = ed25519Key(Buffer.alloc(32, 2));

/** Most of them nearly right. */
export function generatedRequest(random: Random): Buffer {
  const id = (): Buffer =>
    Buffer.alloc(random(8) === 0 ? random(70) : ([32, 48, 64][random(3)] ?? 32), random(3));
  const sessionId = id();
  const bind = (): Buffer =>
    bindRequest({
      server,
      sessionId: random(9) === 0 ? id() : sessionId,
      isForwarding: random(6) === 0 ? random(3) : 0,
    });
  const hostKey = random(2) === 0 ? undefined : random(5) === 0 ? key.blob : server.blob;
  const logIn = logInData({
    sessionId,
    key: random(9) === 0 ? server.blob : key.blob,
    user: random(9) === 0 ? 'a b' : 'deploy',
    hasSignature: random(9) === 0 ? random(3) : 1,
    ...(hostKey === undefined ? {} : { hostKey }),
  });
  const hash = hashData(
    random(6) === 0 ? 'file' : 'git',
    ['sha256', 'sha512', 'sha1', 'sha384'][random(6)] ?? 'sha512',
    random(9) === 0 ? 'x' : '',
  );
  const data = random(3) === 0 ? hash : logIn;
  const signed = signRequest(key.blob, data, random(9) === 0 ? random(8) : 0);
  const whole =
    [
      random(2) === 0 || data === logIn ? [bind(), signed] : [signed],
      [identitiesRequest],
      [bind()],
      [bind(), bind()],
      [signed, bind()],
    ][Math.min(random(9), 8) > 4 ? 0 : random(5)] ?? [];
  const octets = Buffer.concat(whole);
  for (let count = random(3) === 0 ? 1 + random(3) : 0; count > 0; count -= 1) mutate(octets, random);
  return random(8) === 0 ? octets.subarray(0, random(octets.length + 1)) : octets;
}

function mutate(octets: Buffer, random: Random): void {
  if (octets.length > 0) octets[random(octets.length)] = random(256);
}
