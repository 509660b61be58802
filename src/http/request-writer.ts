// The bytes of a request of HTTP/1.1, made from its validated head: nothing that a client wrote passes as it came.

import { ProxyError } from '../protocol/error.ts';
import { hostField } from './authority.ts';
import type { RequestHead } from './message-head.ts';
import { printable } from './printable.ts';

/** How the body is framed: its length, in chunks, or no body. */
export type BodyFraming = number | 'chunked' | 'none';

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const target = /^[\x21-\x7e]+$/;

/**
 * Head of a request, to be written as latin1. `switchTo` is the protocol that is asked for.
 * @throws ProxyError internal for what would not be one head; validation lets nothing such through
 */
export function encodeRequestHead(head: RequestHead, framing: BodyFraming, switchTo?: string): string {
  const { method, path, query, destination, headers } = head;
  if (!token.test(method)) throw notOne(method);
  if (!target.test(path + query)) throw notOne(path);
  let text = `${method} ${path}${query} HTTP/1.1\r\nhost: ${hostField(destination)}\r\n${
    switchTo === undefined ? 'connection: keep-alive' : `connection: Upgrade\r\nupgrade: ${switchTo}`
  }\r\n`;
  for (const [name, value] of headers) text += fieldLine(name, value);
  if (typeof framing === 'number') text += `content-length: ${framing}\r\n`;
  else if (framing === 'chunked') text += 'transfer-encoding: chunked\r\n';
  return `${text}\r\n`;
}

/** What ends a chunked body: the last chunk and the trailers (name, value, …), to be written as latin1. */
export function encodeBodyEnd(trailers: readonly string[]): string {
  let text = '0\r\n';
  for (let at = 0; at + 1 < trailers.length; at += 2)
    text += fieldLine(trailers[at] ?? '', trailers[at + 1] ?? '');
  return `${text}\r\n`;
}

function fieldLine(name: string, value: string): string {
  if (!token.test(name) || !fieldValue.test(value)) throw notOne(name);
  return `${name}: ${value}\r\n`;
}

/** The value may be a secret: only the name is told. */
function notOne(what: string): ProxyError {
  return new ProxyError('internal', `${printable(what)} cannot be written into the head of a request`);
}
