// How a response to a client of HTTP/1.1 is framed (RFC 9112 §6): by its length, in chunks, by the end of the connection, or not at all.

import { parseContentLength } from '../../http/framing.ts';
import type { ResponseHead } from '../../http/message-head.ts';

export type ClientFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' };

interface Asked {
  readonly method: string;
  readonly httpVersion: '1.0' | '1.1';
}

export function clientFraming(
  { status, headers }: ResponseHead,
  { method, httpVersion }: Asked,
): ClientFraming {
  if (method === 'HEAD' || status === 204 || status === 304) return { kind: 'none' };
  const given = headers.first('content-length');
  const length = given === undefined ? undefined : parseContentLength(given);
  if (length !== undefined) return { kind: 'length', length };
  return { kind: httpVersion === '1.1' ? 'chunked' : 'close' };
}
