// How long a request body is (RFC 9112 §6): one reading or none, never a guess.

import { ProxyError } from '../protocol/error.ts';
import type { HeaderList } from './header-list.ts';
import type { RequestHead } from './message-head.ts';
import { printable } from './printable.ts';

/** How a body is framed. `chunked` in HTTP/2 means: there may be a body, of a length that is not known. */
export type MessageFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked' };

/** Bytes of sizes and extensions for each byte of a chunked body: a chunk of one byte takes five. */
export const framingBytesPerByteMax = 16;

/** A plain decimal length without sign, list, blank or leading zero, up to 2^53-1; undefined for all else. */
export function parseContentLength(value: string): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(value)) return undefined;
  const length = Number(value);
  return Number.isSafeInteger(length) ? length : undefined;
}

/**
 * Framing of a request from its fields. Anything that two parsers could frame differently throws
 * `request_malformed`. `ended` is HTTP/2's END_STREAM on the head, if known.
 */
export function requestFraming(
  fields: HeaderList,
  httpVersion: RequestHead['httpVersion'],
  ended: boolean | undefined,
): MessageFraming {
  refuseLookAlikes(fields);
  const codings = fields.all('transfer-encoding');
  const lengths = fields.all('content-length');
  if (codings.length > 0) {
    if (lengths.length > 0) throw malformed('Content-Length and Transfer-Encoding stand together');
    if (httpVersion !== '1.1') throw malformed('Transfer-Encoding exists in HTTP/1.1 only');
    if (codings.length > 1 || codings[0]?.toLowerCase() !== 'chunked') {
      throw malformed('Transfer-Encoding has to be "chunked", once');
    }
    return { kind: 'chunked' };
  }
  if (lengths.length > 1) throw malformed('Content-Length stands more than once');
  const [given] = lengths;
  if (given !== undefined) {
    const length = parseContentLength(given);
    if (length === undefined)
      throw malformed(`the Content-Length ${printable(given)} is not a plain decimal number`);
    if (ended === true && length > 0) throw malformed('the stream ended before the Content-Length was sent');
    return { kind: 'length', length };
  }
  return httpVersion === '2' && ended !== true ? { kind: 'chunked' } : { kind: 'none' };
}

/** CGI-like origins read an underscore as a dash, so these names would be framing or routing to them. */
function refuseLookAlikes(fields: HeaderList): void {
  for (const [name] of fields) {
    if (name.includes('_') && /^(?:content[-_]length|transfer[-_]encoding)$/i.test(name)) {
      throw malformed(`the field ${printable(name)} is Content-Length or Transfer-Encoding to some origins`);
    }
  }
}

function malformed(reason: string): ProxyError {
  return new ProxyError('request_malformed', `The framing of the request is refused: ${reason}.`);
}
