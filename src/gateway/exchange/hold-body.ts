// What a request costs while its body is on its way: taken from the budget of its session before the body is read.

import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { Principal } from '../../policy/decision.ts';
import type { HeldOctets, Reservation } from '../../protocol/held-octets.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { ForwardRequest } from '../forward/forwarder.ts';
import type { ClientExchange } from './client-exchange.ts';

/**
 * Room for what is held of a body while its origin takes it; a request that is denied, or has none, needs none.
 * @throws ProxyError limit_exceeded
 */
export function holdBody(
  { bodyWindowBytes = 0 }: ClientExchange,
  { framing, upgrade }: ValidatedRequest,
  { sessionId }: Principal,
  { held }: { readonly held: HeldOctets },
): Reservation | undefined {
  // Of a WebSocket a window waits and as much is read ahead; over HTTP/1.1 both are the tunnel's, which are counted there.
  if (upgrade !== undefined) return held.reserve(sessionId, 2 * bodyWindowBytes);
  if (framing.kind === 'none') return undefined;
  const octets = bodyWindowBytes + defaultLimits.requestBodyAheadBytes;
  return held.reserve(sessionId, framing.kind === 'length' ? Math.min(framing.length, octets) : octets);
}

/** A rewritten body that was not read to its end must not go on drawing from the client. */
export function releaseBody(client: ClientExchange, { body }: ForwardRequest): void {
  if (body === undefined || body === client.body) return;
  client.body.unpipe();
  body.destroy();
}
