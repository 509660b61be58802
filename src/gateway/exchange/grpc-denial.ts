// A refusal as gRPC says an error: by its own status in a head that is the whole response ("Trailers-Only"). Clients show
// its message, where of an HTTP status they show the number at most.

import { defaultLimits } from '../../protocol/limits.ts';
import { errorTable } from '../../protocol/error-table.ts';
import { HeaderList } from '../../http/header-list.ts';
import type { ResponseHead } from '../../http/message-head.ts';
import { denialText } from './denial.ts';
import type { Denial } from './denial.ts';

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
const statusCodes = {
  invalidArgument: 3,
  permissionDenied: 7,
  resourceExhausted: 8,
  internal: 13,
  unavailable: 14,
} as const;

/** The media type to respond with; undefined if the request is no gRPC. `grpc` proper exists over HTTP/2 alone. */
export function grpcTypeOf(contentType: string | undefined, httpVersion: string): string | undefined {
  const [type, web] = /^application\/grpc(-web(?:-text)?)?(?:\+[a-z0-9.-]{1,32})?(?=$|[\s;])/i.exec(
    contentType ?? '',
  ) ?? [''];
  return type !== '' && (web !== undefined || httpVersion === '2') ? type.toLowerCase() : undefined;
}

/** The head that is the response; its status of HTTP says nothing. */
export function grpcDenial(denial: Denial, type: string): ResponseHead {
  const text = denialText(denial).trimEnd().slice(0, defaultLimits.grpcMessageCharactersMax);
  const headers = new HeaderList([
    ['content-type', type],
    ['grpc-status', String(grpcStatusOf(errorTable[denial.code].http))],
    ['grpc-message', percentEncoded(text)],
    ['cache-control', 'no-store'],
    ['x-deny-reason', denial.code],
    ['x-trace-id', denial.traceId],
    ['content-length', '0'],
  ]);
  const { retryAfterSeconds } = denial;
  return {
    status: 200,
    headers:
      retryAfterSeconds === undefined ? headers : headers.with('retry-after', String(retryAfterSeconds)),
  };
}

function grpcStatusOf(httpStatus: number): number {
  switch (httpStatus) {
    case 400:
      return statusCodes.invalidArgument;
    case 413:
    case 429:
    case 431:
      return statusCodes.resourceExhausted;
    case 500:
      return statusCodes.internal;
    default:
      return httpStatus < 500 ? statusCodes.permissionDenied : statusCodes.unavailable;
  }
}

/** "Percent-Encoded" of the protocol: bytes of UTF-8, of which printable ASCII stays, but for the sign itself. */
function percentEncoded(text: string): string {
  return text.toWellFormed().replace(/[^\x20-\x24\x26-\x7e]/gu, encodeURIComponent);
}
