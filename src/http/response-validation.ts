// The strict layer behind the parser of an origin's response.

import { ProxyError } from '../protocol/error.ts';
import { defaultLimits, type Limits } from '../protocol/limits.ts';
import { listMembers, parseFields } from './field-syntax.ts';
import { parseContentLength } from './framing.ts';
import type { HeaderList } from './header-list.ts';
import { endToEnd } from './hop-by-hop.ts';
import type { ResponseHead } from './message-head.ts';
import { printable } from './printable.ts';

export interface ResponseInput {
  readonly status: number;
  /** Name, value, name, value … as the parser read them, without pseudo-header fields. */
  readonly rawHeaders: readonly string[];
  readonly requestMethod: string;
  /** What the request asked to upgrade to; without it a 101 is refused. */
  readonly upgrade?: 'websocket' | undefined;
  readonly limits?: Limits;
}

/**
 * Validates an origin's head, interim heads (1xx) too. Keeps end-to-end fields, with one plain Content-Length at
 * most; Alt-Svc goes, so that nobody tries to go around the proxy by QUIC. Throws `origin_malformed`.
 */
export function validateResponse(input: ResponseInput): ResponseHead {
  const { status, limits = defaultLimits } = input;
  if (!Number.isInteger(status) || status < 100 || status > 599) {
    throw malformed(`the status ${printable(String(status))} is not between 100 and 599`);
  }
  const fields = parseFields(input.rawHeaders, {
    malformed: 'origin_malformed',
    tooLarge: 'origin_malformed',
    countMax: limits.headersCountMax,
    bytesMax: limits.headBytesMax,
    lowerCaseNames: false,
  });
  if (status === 101) requireUpgrade(fields, input.upgrade);
  const length = contentLength(fields);
  // RFC 9110 §8.6: these never have one; a 2xx to CONNECT is not seen here.
  const mayHaveLength = status >= 200 && status !== 204;
  const isEndToEnd = endToEnd(fields, 'origin_malformed');
  // One that is plain already stays where it is.
  const isPlain = mayHaveLength && length !== undefined && isOnlyValue(fields, length);
  const headers = fields.filter(
    (name) => isEndToEnd(name) && !goesAround.has(name) && (isPlain || name !== 'content-length'),
  );
  return {
    status,
    headers:
      length === undefined || !mayHaveLength || isPlain ? headers : headers.with('Content-Length', length),
  };
}

/** By which a client would leave the proxy. */
const goesAround: ReadonlySet<string> = new Set(['alt-svc', 'alt-used']);

function isOnlyValue(fields: HeaderList, length: string): boolean {
  return !fields.isRepeated('content-length') && fields.first('content-length') === length;
}

function requireUpgrade(fields: HeaderList, upgrade: ResponseInput['upgrade']): void {
  const [taken, ...others] = listMembers(fields, 'upgrade');
  if (upgrade === undefined || taken !== upgrade || others.length > 0) {
    throw malformed('it switches to a protocol that was not asked for');
  }
}

/** The one length; equal repeats are one, as RFC 9112 §6.3 allows. With a Transfer-Encoding beside it: refused. */
function contentLength(fields: HeaderList): string | undefined {
  const values = fields.all('content-length');
  const codings = listMembers(fields, 'transfer-encoding');
  if (codings.length > 0 && (codings.length > 1 || codings[0] !== 'chunked')) {
    throw malformed('its Transfer-Encoding is not "chunked"');
  }
  if (values.length === 0) return undefined;
  if (codings.length > 0) throw malformed('Content-Length and Transfer-Encoding stand together');
  const [first = ''] = values;
  // As nearly every origin says it.
  if (values.length === 1 && parseContentLength(first) !== undefined) return first;
  const [length = '', ...others] = values.flatMap((value) => value.split(',').map((one) => one.trim()));
  if (others.some((other) => other !== length))
    throw malformed('it has two different values of Content-Length');
  if (parseContentLength(length) === undefined)
    throw malformed(`its Content-Length ${printable(length)} is no number`);
  return length;
}

function malformed(reason: string): ProxyError {
  return new ProxyError('origin_malformed', `The response of the origin is refused: ${reason}.`);
}
