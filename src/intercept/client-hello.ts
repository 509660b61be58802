// Reads a TLS ClientHello (RFC 8446 §4.1.2) without taking part in the handshake. All it says is the client's claim.

import { ProxyError } from '../protocol/error.ts';
import { defaultLimits, type Limits } from '../protocol/limits.ts';
import { ByteReader, ByteReaderError } from './byte-reader.ts';

export interface ClientHello {
  /** server_name in lower case, without one trailing dot; visible ASCII only. Whether it fits is for the caller. */
  readonly sni: string | undefined;
  /** Protocol names in the client's order; octets outside visible ASCII as `\xNN`. */
  readonly alpn: readonly string[];
  /** Versions that have a name, in the client's order, such as `TLSv1.3`. */
  readonly versions: readonly string[];
  /** encrypted_client_hello is there. From outside a real one and a GREASE one look the same. */
  readonly ech: boolean;
  /** early_data is there: the client may have sent requests already. */
  readonly earlyData: boolean;
  /** pre_shared_key is there: the client wants to resume a session. */
  readonly resumption: boolean;
}

export type ClientHelloResult =
  /** `bytesNeeded` in total, counted from the first, before another look can say more. */
  | { readonly state: 'incomplete'; readonly bytesNeeded: number }
  | ({ readonly state: 'hello' } & ClientHello);

const recordHeaderBytes = 5;
const recordBytesMax = 16_384;
const handshakeHeaderBytes = 4;
const versionNames: ReadonlyMap<number, string> = new Map([
  [0x0304, 'TLSv1.3'],
  [0x0303, 'TLSv1.2'],
  [0x0302, 'TLSv1.1'],
  [0x0301, 'TLSv1'],
  [0x0300, 'SSLv3'],
]);

/** IANA numbers of the extensions that are read. */
const extensionType = {
  serverName: 0,
  alpn: 16,
  preSharedKey: 41,
  earlyData: 42,
  supportedVersions: 43,
  ech: 0xfe0d,
} as const;

/**
 * Reads the hello at the start of a connection, split over records as it may be; bytes behind it are left alone.
 * Throws ProxyError `tls_handshake` where the bytes cannot become a well-formed hello, or one within `clientHelloBytesMax`.
 */
export function parseClientHello(
  bytes: Uint8Array,
  limits: Pick<Limits, 'clientHelloBytesMax'>,
): ClientHelloResult {
  try {
    const message = collectMessage(bytes, limits.clientHelloBytesMax);
    return typeof message === 'number'
      ? { state: 'incomplete', bytesNeeded: message }
      : { state: 'hello', ...readHello(message) };
  } catch (error) {
    if (error instanceof ByteReaderError) throw malformed(error.message);
    throw error;
  }
}

/** The body of the hello, or how many bytes of the connection are needed to get on. */
function collectMessage(bytes: Uint8Array, bytesMax: number): Uint8Array | number {
  const fragments: Uint8Array[] = [];
  let collected = 0;
  let offset = 0;
  for (let records = 0; records < defaultLimits.clientHelloRecordsMax; records++) {
    if (bytes.length - offset < recordHeaderBytes) return offset + recordHeaderBytes;
    const record = new ByteReader(bytes, offset);
    if (record.number(1) !== 22) throw malformed('it does not begin with a handshake record');
    if (record.number(2) >> 8 !== 3) throw malformed('the version of a record is not one of TLS');
    const length = record.number(2);
    if (length === 0 || length > recordBytesMax) throw malformed('the length of a record is not allowed');
    // The record's end is believed only up to the limit: nothing is allocated from it.
    if (record.remaining < length) return needed(offset + recordHeaderBytes + length, bytesMax);
    const fragment = record.take(length);
    fragments.push(fragment);
    collected += length;
    offset += recordHeaderBytes + length;
    const total = messageBytes(fragments, bytesMax);
    if (total !== undefined && collected >= total) {
      return joined(fragments).subarray(handshakeHeaderBytes, total);
    }
    needed(offset, bytesMax);
  }
  throw malformed(`it is split over more than ${String(defaultLimits.clientHelloRecordsMax)} records`);
}

/** Header and body of the message together; undefined while the header itself is incomplete. */
function messageBytes(fragments: readonly Uint8Array[], bytesMax: number): number | undefined {
  // At most four fragments matter, each has an octet at least.
  const start = joined(fragments.slice(0, handshakeHeaderBytes));
  if ((start[0] ?? 1) !== 1) throw malformed('the first handshake message is not a ClientHello');
  if (start.length < handshakeHeaderBytes) return undefined;
  const header = new ByteReader(start, 1, handshakeHeaderBytes);
  return needed(handshakeHeaderBytes + header.number(3), bytesMax);
}

/** Most hellos are in one record. */
function joined(fragments: readonly Uint8Array[]): Uint8Array {
  const [only] = fragments;
  return fragments.length === 1 && only !== undefined ? only : Buffer.concat(fragments);
}

function needed(bytes: number, bytesMax: number): number {
  if (bytes > bytesMax)
    throw malformed(
      `it is larger than clientHelloBytesMax (${String(bytesMax)} bytes)`,
      'clientHelloBytesMax',
    );
  return bytes;
}

function readHello(body: Uint8Array): ClientHello {
  const reader = new ByteReader(body);
  const legacyVersion = reader.number(2);
  reader.take(32);
  if (reader.vector(1).remaining > 32) throw malformed('the session id is too long');
  const cipherSuites = reader.vector(2).remaining;
  if (cipherSuites === 0 || cipherSuites % 2 !== 0) throw malformed('the list of cipher suites is malformed');
  if (reader.vector(1).remaining === 0) throw malformed('the list of compression methods is empty');
  const extensions = readExtensions(reader);
  const versions = extensions.get(extensionType.supportedVersions);
  const alpn = extensions.get(extensionType.alpn);
  const serverName = extensions.get(extensionType.serverName);
  return {
    sni: serverName === undefined ? undefined : readServerName(serverName),
    alpn: alpn === undefined ? [] : readAlpn(alpn),
    versions: versions === undefined ? nameVersions([legacyVersion]) : readVersions(versions),
    ech: extensions.has(extensionType.ech),
    earlyData: extensions.has(extensionType.earlyData),
    resumption: extensions.has(extensionType.preSharedKey),
  };
}

function readExtensions(reader: ByteReader): Map<number, ByteReader> {
  const found = new Map<number, ByteReader>();
  // TLS 1.2 allows a hello without extensions (RFC 5246 §7.4.1.2).
  if (reader.remaining === 0) return found;
  const extensions = reader.vector(2);
  if (reader.remaining !== 0) throw malformed('there are bytes behind the extensions');
  while (extensions.remaining > 0) {
    const type = extensions.number(2);
    // RFC 8446 §4.2: at most once. Two server names would let two readers see two hosts.
    if (found.has(type)) throw malformed(`extension ${String(type)} occurs twice`);
    found.set(type, extensions.vector(2));
  }
  return found;
}

/** RFC 6066 §3. Exactly one entry, of type host_name: what OpenSSL takes as well, so nobody can pick another one. */
function readServerName(extension: ByteReader): string {
  const list = extension.vector(2);
  if (extension.remaining !== 0) throw malformed('there are bytes behind the list of server names');
  if (list.number(1) !== 0) throw malformed('the server name is not a host name');
  const name = list.vector(2).rest();
  if (list.remaining !== 0) throw malformed('there is more than one server name');
  if (name.length === 0 || name.length > 255) throw malformed('the server name has no allowed length');
  if (!name.every((octet) => octet > 0x20 && octet < 0x7f))
    throw malformed('the server name has octets that are not visible ASCII');
  const text = String.fromCharCode(...name).toLowerCase();
  return text.endsWith('.') ? text.slice(0, -1) : text;
}

/** RFC 7301 §3.1. */
function readAlpn(extension: ByteReader): string[] {
  const list = extension.vector(2);
  if (extension.remaining !== 0 || list.remaining === 0)
    throw malformed('the list of protocols is malformed');
  const names: string[] = [];
  while (list.remaining > 0) {
    const name = list.vector(1).rest();
    if (name.length === 0) throw malformed('a protocol name is empty');
    names.push(printable(name));
  }
  return names;
}

/** RFC 8446 §4.2.1. */
function readVersions(extension: ByteReader): string[] {
  const list = extension.vector(1);
  if (extension.remaining !== 0 || list.remaining < 2) throw malformed('the list of versions is malformed');
  const versions: number[] = [];
  while (list.remaining > 0) versions.push(list.number(2));
  return nameVersions(versions);
}

/** GREASE values (RFC 8701) and versions of the future have no name and are left out. */
function nameVersions(versions: readonly number[]): string[] {
  return versions.map((version) => versionNames.get(version)).filter((name) => name !== undefined);
}

function printable(bytes: Uint8Array): string {
  if (bytes.every(isPrintable)) return String.fromCharCode(...bytes);
  return Array.from(bytes, (octet) =>
    isPrintable(octet) ? String.fromCharCode(octet) : `\\x${octet.toString(16).padStart(2, '0')}`,
  ).join('');
}

function isPrintable(octet: number): boolean {
  return octet > 0x20 && octet < 0x7f && octet !== 0x5c;
}

function malformed(what: string, limit?: 'clientHelloBytesMax'): ProxyError {
  const options = limit === undefined ? {} : { limit };
  return new ProxyError('tls_handshake', `the ClientHello is malformed: ${what}`, options);
}
