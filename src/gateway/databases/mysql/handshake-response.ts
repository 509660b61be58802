// What a client says to the greeting: that it wants TLS (SSLRequest), or as whom it comes and how the session is to be (HandshakeResponse41).

import { type Capabilities, capability, hasAll, isMariadb } from './capabilities.ts';
import { littleEndian, packetOf, PayloadReader } from './packet.ts';

/** The part that a request for TLS has too, which ends there. */
const commonBytes = 32;
const reservedBytes = 19;

export interface HandshakeResponse {
  readonly kind: 'response';
  readonly capabilities: Capabilities;
  /** That the client takes. */
  readonly packetBytesMax: number;
  readonly characterSet: number;
  readonly user: string;
  readonly proof: Uint8Array;
  /** Undefined: it asks for none. */
  readonly database: string | undefined;
  /** Undefined: it knows of none. */
  readonly method: string | undefined;
}

export type ClientPacket =
  | HandshakeResponse
  | { readonly kind: 'tls-request' }
  | { readonly kind: 'malformed'; readonly reason: string };

export function readHandshakeResponse(payload: Uint8Array): ClientPacket {
  const reader = new PayloadReader(payload);
  const basic = reader.number(4);
  // Before protocol 4.1 the packet has another form.
  if (!hasAll(basic, capability.protocol41))
    return { kind: 'malformed', reason: 'the client does not speak protocol 4.1' };
  const packetBytesMax = reader.number(4);
  const characterSet = reader.number(1);
  reader.bytes(reservedBytes);
  const mariadb = reader.number(4);
  if (payload.length === commonBytes && hasAll(basic, capability.tls)) return { kind: 'tls-request' };
  const user = reader.text();
  const proof = proofOf(reader, basic);
  const database = hasAll(basic, capability.withDatabase) ? reader.text({ mayEndThere: true }) : '';
  const method = hasAll(basic, capability.pluginAuth) ? reader.text({ mayEndThere: true }) : '';
  // Attributes of the client, which it was not asked for, may follow.
  if (reader.isMalformed) return { kind: 'malformed', reason: 'its log-in ends in the middle' };
  const capabilities = { basic, mariadb: isMariadb({ basic, mariadb }) ? mariadb : 0 };
  return {
    kind: 'response',
    capabilities,
    packetBytesMax,
    characterSet,
    user,
    proof,
    database: database === '' ? undefined : database,
    method: method === '' ? undefined : method,
  };
}

function proofOf(reader: PayloadReader, basic: number): Uint8Array {
  if (hasAll(basic, capability.pluginAuthCounted)) return reader.bytes(reader.countedNumber());
  if (hasAll(basic, capability.secureConnection)) return reader.bytes(reader.number(1));
  return Buffer.from(reader.text(), 'utf8');
}

/** Of the gateway to a server. */
export interface OwnResponse extends Pick<
  HandshakeResponse,
  'capabilities' | 'packetBytesMax' | 'characterSet'
> {
  readonly user: string;
  /** Up to 255 octets. */
  readonly proof: Uint8Array;
  readonly database: string | undefined;
  readonly method: string;
}

export function tlsRequestPacket(
  sequence: number,
  common: Pick<OwnResponse, 'capabilities' | 'packetBytesMax' | 'characterSet'>,
): Uint8Array {
  return packetOf(sequence, commonPart(common));
}

export function responsePacket(sequence: number, response: OwnResponse): Uint8Array {
  const { user, proof, database, method } = response;
  return packetOf(
    sequence,
    commonPart(response),
    `${user}\0`,
    Uint8Array.of(proof.length),
    proof,
    database === undefined ? '' : `${database}\0`,
    `${method}\0`,
  );
}

function commonPart({
  capabilities: { basic, mariadb },
  packetBytesMax,
  characterSet,
}: Pick<OwnResponse, 'capabilities' | 'packetBytesMax' | 'characterSet'>): Uint8Array {
  return Buffer.concat([
    littleEndian(basic, 4),
    littleEndian(packetBytesMax, 4),
    Uint8Array.of(characterSet),
    Buffer.alloc(reservedBytes),
    littleEndian(mariadb, 4),
  ]);
}
