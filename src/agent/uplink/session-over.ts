// Which errors say that a session is over.

import type { ProxyError } from '../../protocol/error.ts';
import type { ErrorCode } from '../../protocol/error-table.ts';
import { WebSocketRefusedError } from '../../net/websocket-refusal.ts';

/** What stops the client for good: only a new token would change that. */
const finalCodes: ReadonlySet<string> = new Set<ErrorCode>([
  'session_revoked',
  'session_unknown',
  'token_reused',
  'token_invalid',
  'token_malformed',
]);

/** Whether an error says that the session is over. */
export function endsSession(error: ProxyError): boolean {
  return finalCodes.has(reasonOf(error));
}

/** The code of an error, or that inside a refused handshake; one of a later gateway is simply known to nobody. */
export function reasonOf(error: ProxyError): string {
  return error instanceof WebSocketRefusedError ? (error.problem?.error ?? error.code) : error.code;
}
