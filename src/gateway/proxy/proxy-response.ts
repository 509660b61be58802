// What a client of the proxy listener is told before it has a connection.

import type { HeaderField } from '../../http/header-list.ts';
import { encodeResponseHead } from '../../http/response-writer.ts';
import type { ProxyError } from '../../protocol/error.ts';
import { proxyChallenges } from '../exchange/denial.ts';

export interface Refusal {
  readonly status: number;
  readonly fields: readonly HeaderField[];
  readonly body: Buffer;
}

/** In words for a person, with the code as a field for clients that drop the body. */
export function refusalOf(error: ProxyError): Refusal {
  const { code, message, httpStatus: status, retryAfterSeconds } = error;
  const body = Buffer.from(`upstreamproxy: ${message}\nreason: ${code}\n`);
  return {
    status,
    fields: [
      ...(status === 407 ? proxyChallenges : []),
      ['content-type', 'text/plain; charset=utf-8'],
      ['x-deny-reason', code],
      ...(retryAfterSeconds === undefined ? [] : [['retry-after', String(retryAfterSeconds)] as const]),
      ['content-length', String(body.length)],
    ],
    body,
  };
}

/** As octets of HTTP/1.1. `goesOn`: another request may follow on the connection. */
export function encodeRefusalOf(
  error: ProxyError,
  { goesOn, isHead = false }: { readonly goesOn: boolean; readonly isHead?: boolean },
): Buffer {
  const { status, fields, body } = refusalOf(error);
  const ends: readonly HeaderField[] = goesOn ? [] : [['connection', 'close']];
  const head = Buffer.from(encodeResponseHead(status, [...ends, ...fields]), 'latin1');
  return isHead ? head : Buffer.concat([head, body]);
}
