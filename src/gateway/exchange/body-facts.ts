// What an exchange says of its request's body to those who put credentials on it.

import type { Readable } from 'node:stream';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { Principal } from '../../policy/decision.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { BodyFacts } from '../credentials/request/body-rewrite.ts';

/** A request that becomes a WebSocket has no body, whatever comes behind its head. */
export function hasBody({ framing, upgrade }: ValidatedRequest): boolean {
  return framing.kind !== 'none' && upgrade === undefined;
}

export function declaredLength({ framing }: ValidatedRequest): number | undefined {
  return framing.kind === 'length' ? framing.length : undefined;
}

/** Undefined if there is no body. */
export function bodyFacts(
  client: Pick<ClientExchange, 'body' | 'sendContinue'>,
  { sessionId }: Principal,
  validated: ValidatedRequest,
  record: Pick<ExchangeRecord, 'keeps'>,
): BodyFacts | undefined {
  if (!hasBody(validated)) return undefined;
  const length = declaredLength(validated);
  const open = (): Readable => {
    client.sendContinue();
    return client.body;
  };
  return { length, sessionId, isRewritten: false, open, keep: (release) => record.keeps(release) };
}
