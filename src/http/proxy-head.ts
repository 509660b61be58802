// The first head on the relay and on a chunk stream: CONNECT, or an HTTP request to hand on whole.

import { ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import { parseAuthority } from './authority.ts';
import type { Authority } from './destination.ts';
import { parseFields } from './field-syntax.ts';
import type { HeaderList } from './header-list.ts';
import { printable } from './printable.ts';

export type ProxyHead =
  | { readonly state: 'incomplete' }
  | {
      readonly state: 'connect';
      readonly authority: Authority;
      readonly headBytes: number;
      readonly via?: string;
    }
  /** Some other request: every byte, these too, goes to whoever parses HTTP in full. */
  | { readonly state: 'forward'; readonly method: string; readonly target: string };

/** A head that was read whole, whatever its method. */
export type ProxyRequest =
  | { readonly state: 'incomplete' }
  | {
      readonly state: 'whole';
      readonly method: string;
      readonly target: string;
      readonly fields: HeaderList;
      readonly headBytes: number;
      /** Of CONNECT. */
      readonly authority: Authority | undefined;
    };

/**
 * Reads the first head of a proxy client from all bytes so far. CONNECT is read whole, and what stands behind
 * `headBytes` belongs to the tunnel. Throws `request_malformed`, `authority_malformed` or `head_too_large`; bytes
 * that are not HTTP are told after the first few.
 */
export function parseProxyHead(bytes: Uint8Array, limits: Limits): ProxyHead {
  const line = parseRequestLine(bytes, limits);
  if (line === undefined) return { state: 'incomplete' };
  const { method, target } = line;
  if (method !== 'CONNECT') return { state: 'forward', method, target };
  const request = parseRest(bytes, line, limits);
  if (request.state === 'incomplete') return request;
  const { fields, headBytes, authority = parseAuthority(target) } = request;
  const via = fields.all('via');
  const hops = via.length === 0 ? {} : { via: via.join(', ') };
  return { state: 'connect', authority, headBytes, ...hops };
}

/** Reads every head whole, for whoever looks at its fields before anything is done. Throws as `parseProxyHead`. */
export function parseProxyRequest(bytes: Uint8Array, limits: Limits): ProxyRequest {
  const line = parseRequestLine(bytes, limits);
  return line === undefined ? { state: 'incomplete' } : parseRest(bytes, line, limits);
}

interface RequestLine {
  readonly method: string;
  readonly target: string;
  /** Where the fields begin. */
  readonly end: number;
}

function parseRequestLine(bytes: Uint8Array, limits: Limits): RequestLine | undefined {
  // RFC 9112 §2.2: an empty line before the first request is ignored.
  const start = bytes[0] === 0x0d && (bytes.length < 2 || bytes[1] === 0x0a) ? 2 : 0;
  if (bytes.length < start) return undefined;
  refuseForeignProtocol(bytes.subarray(start));
  const lineEnd = endOfLine(bytes, start);
  if (lineEnd === -1) {
    if (bytes.length > limits.headBytesMax) throw tooLarge('headBytesMax', limits);
    return undefined;
  }
  const line = text(bytes, start, lineEnd);
  const parts = /^([A-Z][A-Z0-9-]{0,31}) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.[01]$/.exec(line);
  if (parts === null) throw malformed(`the request line ${printable(line)} is not METHOD TARGET HTTP/1.1`);
  const [, method = '', target = ''] = parts;
  return { method, target, end: lineEnd + 2 };
}

function parseRest(
  bytes: Uint8Array,
  { method, target, end: start }: RequestLine,
  limits: Limits,
): ProxyRequest {
  const isConnect = method === 'CONNECT';
  const authority = isConnect ? parseAuthority(target) : undefined;
  const limit = isConnect ? 'connectHeadBytesMax' : 'headBytesMax';
  const raw: string[] = [];
  let at = start;
  for (;;) {
    const end = endOfLine(bytes, at);
    if ((end === -1 ? bytes.length : end) > limits[limit]) throw tooLarge(limit, limits);
    if (end === -1) return { state: 'incomplete' };
    if (end === at) break;
    const line = text(bytes, at, end);
    const colon = line.indexOf(':');
    if (colon < 1) throw malformed(`the line ${printable(line)} is not a header field`);
    raw.push(line.slice(0, colon), line.slice(colon + 1));
    at = end + 2;
  }
  const fields = isConnect ? checkConnectFields(raw, limits) : checkFields(raw, 'headBytesMax', limits);
  return { state: 'whole', method, target, fields, headBytes: at + 2, authority };
}

/** A CONNECT has no body (RFC 9110 §9.3.6): one that claims it would hide the start of the tunnel. */
function checkConnectFields(raw: readonly string[], limits: Limits): HeaderList {
  const fields = checkFields(raw, 'connectHeadBytesMax', limits);
  if (fields.all('host').length > 1) throw malformed('Host stands more than once');
  const lengths = fields.all('content-length');
  if (fields.has('transfer-encoding') || lengths.some((length) => length !== '0')) {
    throw malformed('a CONNECT has no body, so no Content-Length and no Transfer-Encoding');
  }
  return fields;
}

function checkFields(
  raw: readonly string[],
  bytesMax: 'headBytesMax' | 'connectHeadBytesMax',
  limits: Limits,
): HeaderList {
  return parseFields(raw, {
    malformed: 'request_malformed',
    tooLarge: 'head_too_large',
    countMax: limits.headersCountMax,
    bytesMax: limits[bytesMax],
    lowerCaseNames: false,
  });
}

/** Says early, and in words, what was sent instead of HTTP. */
function refuseForeignProtocol(bytes: Uint8Array): void {
  const [first] = bytes;
  if (first === undefined || (first >= 0x41 && first <= 0x5a)) return;
  if (first === 0x16)
    throw malformed('it begins with TLS; speak plain HTTP to the proxy (http://, not https://)');
  if (first === 4 || first === 5) throw malformed('it begins with SOCKS; this is an HTTP proxy');
  throw malformed('it does not begin with an upper-case HTTP method');
}

/** Position of the CR of the next CRLF; -1 if it is not there yet. A bare LF or CR throws. */
function endOfLine(bytes: Uint8Array, start: number): number {
  for (let i = start; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 0x0a) throw malformed('a line ends with a bare LF');
    if (byte === 0x0d) {
      if (i + 1 === bytes.length) return -1;
      if (bytes[i + 1] !== 0x0a) throw malformed('a bare CR stands in the head');
      return i;
    }
  }
  return -1;
}

function text(bytes: Uint8Array, start: number, end: number): string {
  let latin1 = '';
  for (let i = start; i < end; i++) latin1 += String.fromCharCode(bytes[i] ?? 0);
  return latin1;
}

function malformed(reason: string): ProxyError {
  return new ProxyError('request_malformed', `The proxy request is refused: ${reason}.`);
}

function tooLarge(limit: 'headBytesMax' | 'connectHeadBytesMax', limits: Limits): ProxyError {
  const message = `The head of the proxy request is larger than ${limits[limit]} bytes.`;
  return new ProxyError('head_too_large', message, { limit });
}
