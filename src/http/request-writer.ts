// The bytes of a request of HTTP/1.1, made from its validated head: nothing that a client wrote passes as it came.

import { hostField } from './authority.ts';
import { fieldLine, isToken, unwritable } from './field-line.ts';
import type { RequestHead } from './message-head.ts';

/** How the body is framed: its length, in chunks, or no body. */
export type BodyFraming = number | 'chunked' | 'none';

const target = /^[\x21-\x7e]+$/;

/** What is said of the connection: to be kept unless it says otherwise. */
export interface ConnectionUse {
  /** The protocol that is asked for. */
  readonly switchTo?: string | undefined;
  /** No request follows this one: what comes behind it is its body. */
  readonly closes?: boolean;
}

/**
 * Head of a request, to be written as latin1.
 * @throws ProxyError internal for what would not be one head; validation lets nothing such through
 */
export function encodeRequestHead(
  head: RequestHead,
  framing: BodyFraming,
  { switchTo, closes = false }: ConnectionUse = {},
): string {
  const { method, path, query, destination, headers } = head;
  if (!isToken(method)) throw unwritable(method);
  if (!target.test(path + query)) throw unwritable(path);
  let text = `${method} ${path}${query} HTTP/1.1\r\nhost: ${hostField(destination)}\r\n${
    switchTo === undefined
      ? `connection: ${closes ? 'close' : 'keep-alive'}`
      : `connection: Upgrade\r\nupgrade: ${switchTo}`
  }\r\n`;
  text += headers.lines(fieldLine);
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
