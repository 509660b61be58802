// Why an upgrade is refused, and what the response says beside it.

import type { Duplex } from 'node:stream';
import { type HandshakeField, refuseUpgrade } from '../../net/websocket-handshake.ts';
import { ProxyError } from '../../protocol/error.ts';
import { sessionProblem } from '../../protocol/session-messages.ts';
import { askAgainSeconds } from '../sessions/ask-again.ts';
import { NonceNeeded } from '../sessions/proof-nonces.ts';
import { holderOf } from './incarnation.ts';

/** What this process named and does not have nobody has; of others it cannot know. The same is said of tunnels of other sessions. */
export function noTunnel(tunnelId: Uint8Array, incarnation: string): ProxyError {
  return holderOf(tunnelId) === incarnation
    ? new ProxyError('resume_refused', 'the tunnel is over, or was never one of this session')
    : new ProxyError('resume_unknown', 'there is no such tunnel here');
}

/** RFC 9449 §8.1 and §8.2: it changes with each response. */
export function nonceFields(nonce: string): readonly HandshakeField[] {
  return [['DPoP-Nonce', nonce]];
}

/** RFC 9449 §8. */
const nonceChallenge: HandshakeField = ['WWW-Authenticate', 'DPoP error="use_dpop_nonce"'];

/** With when to come again, and what it takes. */
export function refuseTunnel(socket: Duplex, fault: ProxyError): void {
  const fields = fault instanceof NonceNeeded ? [...nonceFields(fault.nonce), nonceChallenge] : [];
  const seconds = askAgainSeconds(fault);
  const again = seconds === undefined ? [] : [['Retry-After', String(seconds)] as const];
  const problem = sessionProblem(fault.code, fault.message);
  refuseUpgrade(socket, fault.httpStatus, problem, [...fields, ...again]);
}

export function draining(): ProxyError {
  return new ProxyError('shutting_down', 'the gateway is draining; connect to another one');
}

export function tunnelLimit(tunnelsPerSessionMax: number): ProxyError {
  return new ProxyError(
    'limit_exceeded',
    `the session already has ${String(tunnelsPerSessionMax)} tunnels (tunnelsPerSessionMax)`,
    { limit: 'tunnelsPerSessionMax' },
  );
}
