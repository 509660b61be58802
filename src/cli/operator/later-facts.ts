// What the audit says of the time since a backup, as far as a store has to know it.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { LaterEnding, LaterFacts } from '../../store/portable/assert-again.ts';
import { readAuditFile } from './audit-file.ts';

export interface LaterAudit {
  readonly facts: LaterFacts;
  /** How many versions of policies were published. */
  readonly policies: number;
  /** Until when something is known; undefined: there is no audit. */
  readonly throughMs: number | undefined;
}

const closings = new Map([
  ['access_denied', 'denied'],
  ['access_revoked', 'revoked'],
  ['access_ended', 'ended'],
] as const);

/** From JSON lines, the oldest file first. Throws ProxyError `config_invalid` for what is no audit. */
export async function readLaterFacts(
  files: readonly string[],
  { endsAll, nowMs }: Pick<LaterFacts, 'endsAll' | 'nowMs'>,
): Promise<LaterAudit> {
  const reader = new LaterReader();
  for (const file of files) for await (const event of readAuditFile(file)) reader.take(event);
  const { endedSessions, committed, usedTokens, closedAccess, revokedOperators } = reader;
  const facts = { endedSessions, committed, usedTokens, closedAccess, revokedOperators, endsAll, nowMs };
  return { facts, policies: reader.policies, throughMs: reader.throughMs };
}

class LaterReader {
  readonly endedSessions = new Map<string, LaterEnding>();
  readonly committed = new Map<string, number>();
  readonly usedTokens = new Map<string, { readonly sessionId: string; readonly expiresMs: number }>();
  readonly closedAccess = new Map<string, 'denied' | 'revoked' | 'ended'>();
  readonly revokedOperators = new Map<string, number>();
  policies = 0;
  throughMs: number | undefined;
  /** Tokens of sessions that may still use them up. */
  readonly #tokens = new Map<string, { readonly key: string; readonly expiresMs: number }>();

  take({ action, sessionId = '', time, message = '', details = {} }: AuditEvent): void {
    const atMs = Date.parse(time);
    this.throughMs = Math.max(this.throughMs ?? atMs, atMs);
    const { id, tokenKey, tokenExpires } = details;
    const closed = closings.get(action as 'access_denied');
    if (closed !== undefined && typeof id === 'string') this.closedAccess.set(id, closed);
    switch (action) {
      case 'enrolled': {
        const expiresMs = Date.parse(String(tokenExpires));
        if (typeof tokenKey === 'string' && Number.isSafeInteger(expiresMs))
          this.#tokens.set(sessionId, { key: tokenKey, expiresMs });
        return;
      }
      case 'committed':
        this.committed.set(sessionId, atMs);
        this.#useUp(sessionId);
        return;
      case 'ended':
      case 'revoked':
        // By whom it was ended before its commit, and whether its token went with it, its event does not say: then it has.
        if (action === 'revoked') this.#useUp(sessionId);
        this.#tokens.delete(sessionId);
        this.endedSessions.set(sessionId, { state: action, reason: message, atMs });
        return;
      case 'access_granted':
        // What was denied before may be granted after.
        if (typeof id === 'string') this.closedAccess.delete(id);
        return;
      case 'operator_token_revoked':
        if (typeof id === 'string') this.revokedOperators.set(id, atMs);
        return;
      case 'policy_published':
        this.policies += 1;
    }
  }

  #useUp(sessionId: string): void {
    const token = this.#tokens.get(sessionId);
    if (token !== undefined) this.usedTokens.set(token.key, { sessionId, expiresMs: token.expiresMs });
    this.#tokens.delete(sessionId);
  }
}
