// The bytes of the responses that a program writes itself, onto a socket on which no server of the runtime does: a switch of
// protocols, the head of a tunnel, and plain refusals.

import type { ProxyError } from '../protocol/error.ts';
import { fieldLine } from './field-line.ts';
import type { HeaderField } from './header-list.ts';

/** Those that are written here; RFC 9112 §4 lets the phrase be absent, and nothing depends on it. */
const reasonPhrases: Readonly<Record<number, string>> = {
  101: 'Switching Protocols',
  102: 'Processing',
  103: 'Early Hints',
  200: 'Connection established',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  413: 'Content Too Large',
  417: 'Expectation Failed',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** To be written as latin1. @throws ProxyError internal for a field that is none */
export function encodeResponseHead(status: number, fields: Iterable<HeaderField> = []): string {
  let text = `HTTP/1.1 ${status} ${reasonPhrases[status] ?? ''}\r\n`;
  for (const [name, value] of fields) text += fieldLine(name, value);
  return `${text}\r\n`;
}

/** A whole response, the last one of its connection, to be written as UTF-8: its fields are of ASCII. */
export function encodeLastResponse(status: number, fields: Iterable<HeaderField>, body: string): string {
  const length = new TextEncoder().encode(body).length;
  return `${encodeResponseHead(status, [
    ['Connection', 'close'],
    ...fields,
    ['Content-Length', String(length)],
  ])}${body}`;
}

/**
 * The response to a request that was refused before there was a server for it, in words for a person, with the code as a field for
 * clients that drop the body of a refusal.
 */
export function encodeRefusal({ code, message }: ProxyError, status: number, traceId?: string): string {
  const trace = traceId === undefined ? [] : [traceId];
  return encodeLastResponse(
    status,
    [
      ['Content-Type', 'text/plain; charset=utf-8'],
      ['X-Deny-Reason', code],
      ...trace.map((id) => ['X-Trace-Id', id] as const),
    ],
    [`upstreamproxy: ${message}`, `reason: ${code}`, ...trace.map((id) => `trace: ${id}`), ''].join('\n'),
  );
}
