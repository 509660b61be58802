// Trailer fields (RFC 9110 §6.5): they come too late to be judged, so they never redefine the message.

import type { ErrorCode } from '../protocol/error-table.ts';
import type { Limits } from '../protocol/limits.ts';
import { parseFields } from './field-syntax.ts';
import { HeaderList } from './header-list.ts';

/** What a request may send behind its body: integrity of the body, and gRPC. */
const requestTrailer =
  /^(?:(?:content-|repr-)?digest|x-amz-checksum-[a-z0-9]+|x-amz-trailer-signature|grpc-[a-z-]+)$/;

/** Framing, routing, conditions, credentials and caching: not in a trailer, whatever an origin says. */
const notInResponse =
  /^(?:host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|http2-settings|forwarded|via|age|date|expires|location|retry-after|vary|warning|cache-control|pragma|content-(?:length|type|encoding|range|location)|accept-.*|range|if-.*|expect|max-forwards|authorization|www-authenticate|authentication-.*|proxy.*|set-cookie2?|cookie|alt-svc|link|refresh|x-forwarded-.*|access-control-.*|strict-transport-security)$/;

/**
 * The trailers that are passed on. Of a request only a short safe list; of a response everything that does not
 * change the head's meaning (gRPC puts its own names there). The rest is dropped. Throws `request_malformed` or
 * `origin_malformed` for bad syntax, too many or too large ones.
 */
export function validateTrailers(
  raw: readonly string[],
  of: 'request' | 'response',
  limits: Limits,
): HeaderList {
  const code: ErrorCode = of === 'request' ? 'request_malformed' : 'origin_malformed';
  const fields = parseFields(raw, {
    malformed: code,
    tooLarge: code,
    countMax: limits.headersCountMax,
    bytesMax: limits.headBytesMax,
    lowerCaseNames: false,
  });
  const keep = (name: string): boolean =>
    of === 'request' ? requestTrailer.test(name) : !notInResponse.test(name);
  return new HeaderList([...fields].filter(([name]) => keep(name.toLowerCase())));
}
