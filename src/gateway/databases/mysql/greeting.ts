// The first packet of a server: who it is, what it can, and what a log-in has to be made from (HandshakeV10).

import { type Capabilities, isMariadb } from './capabilities.ts';
import { littleEndian, packetOf, PayloadReader } from './packet.ts';

const protocolVersion = 10;
/** Of what a proof is made from. */
export const nonceBytes = 20;
const firstPartBytes = 8;
/** Nobody has a longer one. */
const versionCharactersMax = 64;

/** What a client is told of a server, which is the same for each of its connections. */
export interface ServerFacts {
  readonly version: string;
  readonly capabilities: Capabilities;
  readonly characterSet: number;
  readonly status: number;
}

export interface Greeting extends ServerFacts {
  readonly threadId: number;
  readonly nonce: Uint8Array;
  /** How it would have the client log in. */
  readonly method: string;
}

/** Undefined: it is no such packet. */
export function readGreeting(payload: Uint8Array): Greeting | undefined {
  const reader = new PayloadReader(payload);
  if (reader.number(1) !== protocolVersion) return undefined;
  const version = reader.text();
  const threadId = reader.number(4);
  const first = reader.bytes(firstPartBytes);
  reader.bytes(1);
  const low = reader.number(2);
  const characterSet = reader.number(1);
  const status = reader.number(2);
  const basic = low + reader.number(2) * 2 ** 16;
  const nonceLength = reader.number(1);
  reader.bytes(6);
  const capabilities = { basic, mariadb: reader.number(4) };
  const second = reader.bytes(Math.max(nonceBytes - firstPartBytes + 1, nonceLength - firstPartBytes));
  const method = reader.text({ mayEndThere: true });
  if (reader.isMalformed || !/^[\x20-\x7e]+$/.test(version) || version.length > versionCharactersMax)
    return undefined;
  return {
    version,
    threadId,
    nonce: Buffer.concat([first, second]).subarray(0, nonceBytes),
    capabilities: isMariadb(capabilities) ? capabilities : { basic, mariadb: 0 },
    characterSet,
    status,
    method,
  };
}

export function greetingPacket({
  version,
  threadId,
  nonce,
  capabilities: { basic, mariadb },
  characterSet,
  status,
  method,
}: Greeting): Uint8Array {
  return packetOf(
    0,
    Uint8Array.of(protocolVersion),
    `${version}\0`,
    littleEndian(threadId, 4),
    nonce.subarray(0, firstPartBytes),
    Uint8Array.of(0),
    littleEndian(basic % 2 ** 16, 2),
    Uint8Array.of(characterSet),
    littleEndian(status, 2),
    littleEndian(Math.floor(basic / 2 ** 16), 2),
    Uint8Array.of(nonceBytes + 1),
    Buffer.alloc(6),
    littleEndian(mariadb, 4),
    nonce.subarray(firstPartBytes),
    Uint8Array.of(0),
    `${method}\0`,
  );
}
