// How a request that is not served is refused: why for the workload, what the operator needs for the audit.

import { Buffer } from 'node:buffer';
import { hostField } from '../../http/authority.ts';
import type { Destination } from '../../http/destination.ts';
import type { ResponseHead } from '../../http/message-head.ts';
import { asProxyError } from '../../protocol/error.ts';
import { errorTable } from '../../protocol/error-table.ts';
import type { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { accessUrl } from '../access/access-desk.ts';
import type { ClientExchange } from './client-exchange.ts';
import { denialResponse, isAsked, noRetry } from './denial.ts';
import type { Denial } from './denial.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { grpcDenial, grpcTypeOf } from './grpc-denial.ts';

/** A response in a form that only the client's protocol knows. */
export interface RefusalResponse {
  readonly head: ResponseHead;
  readonly body: Uint8Array;
}

/** Responds with the reason if the head is not out yet; else the client must see a broken connection. */
export function refuse(
  client: ClientExchange,
  given: ProxyError,
  record: ExchangeRecord,
  responseTo?: (denial: Denial) => RefusalResponse,
): void {
  const error = client.fault ?? given;
  if (errorTable[error.code].isDenial) record.refused(error, { operatorDetail: operatorDetail(error) });
  else record.failed(error, { operatorDetail: operatorDetail(error) });
  if (error.code === 'request_malformed') client.closeAfterResponse();
  if (record.overRate !== undefined) client.closeConnection();
  if (client.headSent || (client.signal.aborted && client.fault === undefined)) {
    client.abort(error);
    return;
  }
  try {
    respond(client, denialOf(error, record), { record, responseTo });
  } catch (fault) {
    // The last resort of every exchange: what is thrown from here would end the process.
    client.abort(asProxyError(fault));
  }
}

interface ResponseOptions {
  readonly record: ExchangeRecord;
  readonly responseTo: ((denial: Denial) => RefusalResponse) | undefined;
}

function respond(client: ClientExchange, denial: Denial, { record, responseTo }: ResponseOptions): void {
  const fields = new Map(pairs(client.rawHeaders));
  const grpcType = grpcTypeOf(fields.get('content-type'), client.httpVersion);
  if (grpcType !== undefined && responseTo === undefined) {
    // What would have been said without gRPC, whose responses all have the status of success.
    record.refusedWith(errorTable[denial.code].http);
    client.sendHead(grpcDenial(denial, grpcType), true);
    client.sendEnd([]);
    return;
  }
  const { head, body } =
    responseTo?.(denial) ?? denialResponse(denial, fields.get('accept'), fields.get('user-agent'));
  record.refusedWith(head.status);
  const fixed = responseTo !== undefined && isAsked(denial.code);
  client.sendHead(fixed ? { ...head, headers: head.headers.with(...noRetry) } : head);
  if (client.method !== 'HEAD') client.sendData(typeof body === 'string' ? Buffer.from(body) : body);
  client.sendEnd([]);
}

function denialOf(error: ProxyError, { facts, traceId, mayAskAccess, help }: ExchangeRecord): Denial {
  const url = facts.host === undefined ? undefined : urlOf(facts);
  return {
    code: error.code,
    message: error.message,
    traceId,
    retryAfterSeconds: error.retryAfterSeconds,
    next: error.next,
    help: errorTable[error.code].isDenial ? help : undefined,
    question: facts.question?.id,
    ...(facts.rule === undefined ? {} : { rule: facts.rule }),
    ...(facts.method === undefined ? {} : { method: facts.method }),
    ...(url === undefined ? {} : { url }),
    ...destinationOf(facts),
    ...(mayAskAccess ? { accessUrl } : {}),
  };
}

/** Addresses and system errors are for the operator; the dialer keeps them in the cause. */
export function operatorDetail({ operatorDetail: detail, cause }: ProxyError): string | undefined {
  if (detail !== undefined) return detail;
  return cause instanceof Error ? cause.message : undefined;
}

function destinationOf({ scheme, host, port }: ExchangeRecord['facts']): { destination?: Destination } {
  if (scheme === undefined || host === undefined || port === undefined) return {};
  // The audit's schemes are those of a destination.
  return { destination: { scheme: scheme as Destination['scheme'], host, port } };
}

function urlOf(facts: ExchangeRecord['facts']): string {
  const { scheme = 'https', host = '', port = 0, path = '' } = facts;
  // The audit's schemes are those of a destination.
  const destination = { scheme: scheme as Destination['scheme'], host, port };
  return `${scheme}://${hostField(destination)}${path.startsWith('/') ? path.slice(0, defaultLimits.toldPathCharactersMax) : ''}`;
}

function* pairs(raw: readonly string[]): Iterable<[string, string]> {
  for (let i = 0; i + 1 < raw.length; i += 2) yield [(raw[i] ?? '').toLowerCase(), raw[i + 1] ?? ''];
}
