// Reads the response to a WebSocket handshake from a socket: a bounded head, and a bounded body of a refusal.

import { Buffer } from 'node:buffer';

import { ProxyError } from '../protocol/error.ts';

export interface HandshakeResponse {
  readonly status: number;
  /** Lower-case name and value, in order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** What came behind the head: frames after 101, else the beginning of a body. */
  readonly rest: Buffer;
}

const headEnd = Buffer.from('\r\n\r\n', 'latin1');
const statusLine = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?$/;
const fieldLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*$/;

/**
 * The response at the start of `bytes`, or undefined while its head is not complete.
 * Throws `gateway_protocol` for what is not HTTP/1.1 or for a head above `headBytesMax`.
 */
export function parseHandshakeResponse(bytes: Buffer, headBytesMax: number): HandshakeResponse | undefined {
  const end = bytes.indexOf(headEnd);
  if (end === -1 && bytes.length <= headBytesMax) return undefined;
  if (end === -1 || end > headBytesMax) {
    throw new ProxyError(
      'gateway_protocol',
      `The response to the WebSocket handshake has a head above ${headBytesMax} bytes.`,
    );
  }
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const status = statusLine.exec(first)?.[1];
  if (status === undefined) {
    throw new ProxyError(
      'gateway_protocol',
      'The response to the WebSocket handshake is not HTTP/1.1. Is the address the one of a gateway?',
    );
  }
  const fields = lines.map((line): readonly [string, string] => {
    const match = fieldLine.exec(line);
    if (match === null)
      throw new ProxyError(
        'gateway_protocol',
        'The response to the WebSocket handshake has a malformed field.',
      );
    return [(match[1] ?? '').toLowerCase(), match[2] ?? ''];
  });
  return { status: Number(status), fields, rest: bytes.subarray(end + headEnd.length) };
}

/** All values of a field, its comma-separated lists taken apart. */
export function fieldTokens(response: HandshakeResponse, name: string): readonly string[] {
  return response.fields
    .filter(([field]) => field === name)
    .flatMap(([, value]) => value.split(','))
    .map((token) => token.trim())
    .filter((token) => token !== '');
}

/** Length of the body of a refusal: its Content-Length up to `bytesMax`; 0 if it does not say. */
export function bodyLength(response: HandshakeResponse, bytesMax: number): number {
  const value = fieldTokens(response, 'content-length')[0] ?? '0';
  return /^\d{1,15}$/.test(value) ? Math.min(Number(value), bytesMax) : 0;
}
