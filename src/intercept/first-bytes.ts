// What the first bytes of a connection are, from as few of them as decide it.

export type FirstBytesKind = 'tls' | 'http' | 'http2' | 'other' | 'incomplete';

/** HTTP/2 connection preface (RFC 9113 §3.4). */
const http2Preface = latin1('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** What SSH begins with (RFC 4253 §4.2). The name of a distribution may stand behind a space, as if this were a method. */
const sshBanner = latin1('SSH-');
const lineEnd = latin1('\r\n');
/** Longer than every registered method; a longer first word is not HTTP. */
const methodBytesMax = 32;
/** First octets of a TLS record that holds a handshake: type 22, version 3.x, at most 2^14 bytes. */
const handshakeType = 0x16;
const space = 0x20;

/**
 * Classifies the start of a connection: a TLS handshake record, a method and a space, the HTTP/2 preface, or other. One empty line may
 * stand before a method (RFC 9112 §2.2).
 * `incomplete` wants more bytes; no more than 34 are ever needed. It judges form, not whether the rest will be valid.
 */
export function classifyFirstBytes(bytes: Uint8Array): FirstBytesKind {
  const first = bytes[0];
  if (first === undefined) return 'incomplete';
  if (first === handshakeType) return classifyRecord(bytes);
  const matched = prefixLength(bytes, http2Preface);
  if (matched === http2Preface.length) return 'http2';
  if (matched === bytes.length) return 'incomplete';
  if (prefixLength(bytes, sshBanner) === sshBanner.length) return 'other';
  const emptyLine = prefixLength(bytes, lineEnd);
  if (emptyLine === bytes.length) return 'incomplete';
  return classifyMethod(emptyLine === lineEnd.length ? bytes.subarray(emptyLine) : bytes);
}

function classifyRecord(bytes: Uint8Array): FirstBytesKind {
  if (bytes.length > 1 && bytes[1] !== 3) return 'other';
  const [, , , high, low] = bytes;
  if (high === undefined || low === undefined) return 'incomplete';
  const length = high * 256 + low;
  return length > 0 && length <= 16_384 ? 'tls' : 'other';
}

function classifyMethod(bytes: Uint8Array): FirstBytesKind {
  for (const [index, octet] of bytes.subarray(0, methodBytesMax).entries()) {
    if (octet === space) return index === 0 ? 'other' : 'http';
    if (!isTokenOctet(octet)) return 'other';
  }
  return bytes.length < methodBytesMax ? 'incomplete' : 'other';
}

/** tchar of RFC 9110 §5.6.2. */
function isTokenOctet(octet: number): boolean {
  const letter = octet | 0x20;
  return (
    (letter >= 0x61 && letter <= 0x7a) || (octet >= 0x30 && octet <= 0x39) || tokenPunctuation.includes(octet)
  );
}

const tokenPunctuation = latin1("!#$%&'*+-.^_`|~");

function prefixLength(bytes: Uint8Array, wanted: Uint8Array): number {
  const length = Math.min(bytes.length, wanted.length);
  for (let index = 0; index < length; index++) if (bytes[index] !== wanted[index]) return index;
  return length;
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
