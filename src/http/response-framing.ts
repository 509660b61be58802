// The head of an origin's response from its lines (RFC 9112 §4, §5), and where its body ends (§6.3): one reading or none.

import { ProxyError } from '../protocol/error.ts';
import type { LimitName } from '../protocol/limits.ts';
import { parseContentLength } from './framing.ts';
import { knownName } from './known-names.ts';
import { printable } from './printable.ts';

/** `close`: the body ends with the connection. */
export type ResponseFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' };

/** A coding below the chunks that can be taken off. */
export type TransferCoding = 'gzip' | 'deflate';

export interface StatusLine {
  readonly status: number;
  readonly httpVersion: '1.0' | '1.1';
}

/** What a head says of its body and of its connection. */
export interface ResponseHead {
  readonly framing: ResponseFraming;
  /** The origin ends the connection behind this response, or may. */
  readonly closes: boolean;
  /** For how long the origin keeps the idle connection, if it says so. */
  readonly keepAliveSeconds: number | undefined;
  /** It names a protocol to switch to, which a 101 has to (RFC 9110 §15.2.2). */
  readonly namesProtocol: boolean;
}

// Three digits and a space are the whole syntax; a reason may be missing, and its space with it.
const statusLine = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const fieldName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Makes the fault of a response that breaks HTTP or a limit: whose response it is, decides its code and its words. */
export type ResponseFault = (reason: string, limit?: LimitName) => ProxyError;

/** A line without its CRLF. */
export function parseStatusLine(line: string, fault: ResponseFault = malformedResponse): StatusLine {
  const match = statusLine.exec(line);
  if (match === null) throw fault('its first line is no status line of HTTP/1');
  return { status: Number(match[2]), httpVersion: match[1] === '1' ? '1.1' : '1.0' };
}

/** Adds name and value of a field line to `raw`. A line that goes on with the next one (obs-fold) is none. */
export function parseFieldLine(line: string, raw: string[], fault: ResponseFault = malformedResponse): void {
  const colon = line.indexOf(':');
  const given = colon === -1 ? line : line.slice(0, colon);
  const name = (colon === -1 ? undefined : knownName(given)?.name) ?? checkedName(given, colon, fault);
  const value = withoutBlanks(line.slice(colon + 1));
  if (!fieldValue.test(value))
    throw fault(`the header field ${printable(name)} has a control character in its value`);
  raw.push(name, value);
}

function checkedName(name: string, colon: number, fault: ResponseFault): string {
  if (colon === -1 || !fieldName.test(name)) throw fault(`${printable(name)} is no name of a header field`);
  return name;
}

export interface HeadReading {
  readonly method: string;
  /** Refuses what is read of old origins: one length in several lines, a coding in front of `chunked`. */
  readonly isStrict: boolean;
  readonly fault: ResponseFault;
}

/**
 * What the fields (name, value, …) say. Whatever two parsers could read in two ways is refused: different lengths, a length beside
 * chunks, another coding behind or without `chunked`, chunks in HTTP/1.0.
 */
export function responseHead(
  { status, httpVersion }: StatusLine,
  raw: readonly string[],
  { method, isStrict, fault }: HeadReading,
): ResponseHead {
  const lengths: string[] = [];
  const codings: string[] = [];
  let closes = httpVersion === '1.0';
  let keepAliveSeconds: number | undefined;
  let [hasUpgrade, listsUpgrade] = [false, false];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const value = raw[at + 1] ?? '';
    switch (namedAs(raw[at] ?? '')) {
      case 'content-length':
        lengths.push(value);
        break;
      case 'transfer-encoding':
        codings.push(value);
        break;
      case 'connection':
        closes ||= lists(value, 'close');
        listsUpgrade ||= lists(value, 'upgrade');
        break;
      case 'upgrade':
        hasUpgrade = true;
        break;
      case 'keep-alive':
        keepAliveSeconds = keptFor(value);
        break;
      case undefined:
        break;
    }
  }
  const length = lengthOf(lengths, isStrict, fault);
  const isChunked = codings.length > 0;
  const coding = isChunked ? codingBeforeChunks(codings) : undefined;
  if (isChunked && (coding === undefined || (isStrict && coding !== 'none')))
    throw fault('its Transfer-Encoding is not "chunked", once, with gzip or deflate in front of it at most');
  if (isChunked && length !== undefined) throw fault('Content-Length and Transfer-Encoding stand together');
  if (isChunked && httpVersion === '1.0') throw fault('Transfer-Encoding does not exist in HTTP/1.0');
  const framing = framingOf(status, method, length, isChunked);
  // A form of which there is one reading by the RFC alone: no other response is looked for behind it.
  const isOdd = lengths.length > 1 || (coding !== undefined && coding !== 'none');
  return {
    framing,
    closes: closes || isOdd || framing.kind === 'close',
    keepAliveSeconds,
    namesProtocol: hasUpgrade && listsUpgrade,
  };
}

/** Equal lines are one (RFC 9112 §6.3); a list in one line is refused, for readers differ there. */
function lengthOf(values: readonly string[], isStrict: boolean, fault: ResponseFault): number | undefined {
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length > 1 && (isStrict || values.some((other) => other !== value)))
    throw fault('Content-Length stands more than once');
  const length = parseContentLength(value);
  if (length === undefined) throw fault(`its Content-Length ${printable(value)} is no plain number`);
  return length;
}

/**
 * What lies below the chunks, by the values of Transfer-Encoding: `none`, or `gzip` or `deflate` where it stands once in
 * front of `chunked` (RFC 9112 §7). Undefined for everything else.
 */
export function codingBeforeChunks(values: readonly string[]): 'none' | TransferCoding | undefined {
  const codings = values.flatMap((value) => value.split(',')).map((one) => withoutBlanks(one).toLowerCase());
  const [coding, ...behind] = codings;
  if (coding === 'chunked' && behind.length === 0) return 'none';
  if (behind.length !== 1 || behind[0] !== 'chunked') return undefined;
  if (coding === 'gzip' || coding === 'x-gzip') return 'gzip';
  return coding === 'deflate' ? 'deflate' : undefined;
}

function framingOf(
  status: number,
  requestMethod: string,
  length: number | undefined,
  isChunked: boolean,
): ResponseFraming {
  // RFC 9112 §6.3: these have no body, whatever the fields say.
  if (status < 200 || status === 204 || status === 304 || requestMethod === 'HEAD') return noBody;
  // RFC 9110 §9.3.6: what follows is the tunnel's.
  if (requestMethod === 'CONNECT' && status < 300) return noBody;
  if (isChunked) return chunkedBody;
  return length === undefined ? closeDelimited : { kind: 'length', length };
}

const noBody: ResponseFraming = { kind: 'none' };
const chunkedBody: ResponseFraming = { kind: 'chunked' };
const closeDelimited: ResponseFraming = { kind: 'close' };

const names = ['upgrade', 'connection', 'keep-alive', 'content-length', 'transfer-encoding'] as const;
type Named = (typeof names)[number];
const named: ReadonlyMap<string, Named> = new Map(names.map((name) => [name, name]));

function namedAs(name: string): Named | undefined {
  // Their lengths: most names need no copy in lower case.
  const { length } = name;
  const isLong = length === 14 || length === 17;
  return isLong || length === 10 || length === 7 ? named.get(name.toLowerCase()) : undefined;
}

function keptFor(value: string): number | undefined {
  const text = value.toLowerCase();
  for (let at = text.indexOf('timeout'); at >= 0; at = text.indexOf('timeout', at + 1)) {
    if (at > 0 && !',;\t '.includes(text[at - 1] ?? '')) continue;
    const equals = behindBlanks(text, at + 'timeout'.length);
    if (text[equals] !== '=') continue;
    const from = behindBlanks(text, equals + 1);
    const seconds = /^[0-9]{1,9}/.exec(text.slice(from, from + 9))?.[0];
    if (seconds !== undefined) return Number(seconds);
  }
  return undefined;
}

function lists(value: string, option: string): boolean {
  return value.split(',').some((member) => withoutBlanks(member).toLowerCase() === option);
}

function behindBlanks(text: string, from: number): number {
  let at = from;
  while (isBlank(text.charCodeAt(at))) at += 1;
  return at;
}

function withoutBlanks(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** The fault of a response that breaks HTTP. */
export function malformedResponse(reason: string, limit?: LimitName): ProxyError {
  const message = `The response of the origin is refused: ${reason}${limit === undefined ? '' : ` (${limit})`}.`;
  return new ProxyError('origin_malformed', message, limit === undefined ? {} : { limit });
}
