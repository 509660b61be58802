// What an exchange says of its request's body to those who put credentials on it.

import type { Readable } from 'node:stream';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { Principal } from '../../policy/decision.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { BodyFacts } from '../credentials/request/body-rewrite.ts';

/** Undefined if there is no body: a request that becomes a WebSocket has none, whatever comes behind its head. */
export function bodyFacts(
  client: ClientExchange,
  { sessionId }: Principal,
  { framing, upgrade }: ValidatedRequest,
): BodyFacts | undefined {
  if (framing.kind === 'none' || upgrade !== undefined) return undefined;
  const length = framing.kind === 'length' ? framing.length : undefined;
  const open = (): Readable => {
    client.sendContinue();
    return client.body;
  };
  return { length, sessionId, isRewritten: false, open };
}
