// What the audit says of the time since a backup, as far as a store has to know it.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { LaterEnding, LaterFacts } from '../../store/portable/assert-again.ts';
import { withdrawnToken } from '../../store/store.ts';
import { readAuditFile } from './audit-file.ts';

export interface LaterAudit {
  readonly facts: LaterFacts;
  /** How many versions of policies were published. */
  readonly policies: number;
  /** Since when something is known; undefined: there is no event. */
  readonly fromMs: number | undefined;
  /** And until when. */
  readonly throughMs: number | undefined;
}

const closings = new Map([
  ['access_denied', 'denied'],
  ['access_revoked', 'revoked'],
  ['access_ended', 'ended'],
] as const);

/** From JSON lines, in any order. Throws ProxyError `config_invalid` for what is no audit. */
export async function readLaterFacts(
  files: readonly string[],
  { endsAll, nowMs }: Pick<LaterFacts, 'endsAll' | 'nowMs'>,
): Promise<LaterAudit> {
  const reader = new LaterReader();
  for (const file of files) for await (const event of readAuditFile(file)) reader.take(event);
  const { endedSessions, committed, usedTokens, closedAccess, revokedOperators } = reader;
  const facts = { endedSessions, committed, usedTokens, closedAccess, revokedOperators, endsAll, nowMs };
  return { facts, policies: reader.policies, fromMs: reader.fromMs, throughMs: reader.throughMs };
}

type Closing = 'denied' | 'revoked' | 'ended';

/** Collects, and decides at the end: several gateways write a file each, and a spool delivers late, so events come in any order. */
class LaterReader {
  readonly endedSessions = new Map<string, LaterEnding>();
  readonly committed = new Map<string, number>();
  readonly revokedOperators = new Map<string, number>();
  policies = 0;
  fromMs: number | undefined;
  throughMs: number | undefined;
  /** By the ids of their sessions. */
  readonly #tokens = new Map<string, { readonly key: string; readonly expiresMs: number }>();
  readonly #revoked = new Set<string>();
  readonly #withdrawn = new Map<string, { readonly sessionId: string; readonly expiresMs: number }>();
  readonly #closings = new Map<string, { readonly state: Closing; readonly atMs: number }>();
  readonly #granted = new Map<string, number>();

  take(event: AuditEvent): void {
    const { action, sessionId = withdrawnToken, message = '', details = {} } = event;
    const atMs = Date.parse(event.time);
    this.fromMs = Math.min(this.fromMs ?? atMs, atMs);
    this.throughMs = Math.max(this.throughMs ?? atMs, atMs);
    const { id, tokenKey, tokenExpires } = details;
    const closed = closings.get(action as 'access_denied');
    if (closed !== undefined && typeof id === 'string') this.#close(id, closed, atMs);
    switch (action) {
      case 'enrolled': {
        const expiresMs = Date.parse(String(tokenExpires));
        if (typeof tokenKey === 'string' && Number.isSafeInteger(expiresMs))
          this.#tokens.set(sessionId, { key: tokenKey, expiresMs });
        return;
      }
      case 'committed':
        this.committed.set(sessionId, Math.min(this.committed.get(sessionId) ?? atMs, atMs));
        return;
      case 'ended':
      case 'revoked':
        this.#end(sessionId, { state: action, reason: message, atMs });
        return;
      case 'access_granted':
        if (typeof id === 'string') this.#granted.set(id, Math.max(this.#granted.get(id) ?? atMs, atMs));
        return;
      case 'session_token_withdrawn': {
        const expiresMs = Date.parse(String(tokenExpires));
        if (typeof tokenKey === 'string' && Number.isSafeInteger(expiresMs))
          this.#withdrawn.set(tokenKey, { sessionId, expiresMs });
        return;
      }
      case 'operator_token_revoked':
      case 'operator_logged_out':
        if (typeof id === 'string')
          this.revokedOperators.set(id, Math.min(this.revokedOperators.get(id) ?? atMs, atMs));
        return;
      case 'policy_published':
        this.policies += 1;
    }
  }

  /** By whom a session was revoked before its commit, and whether its token went with it, its event does not say: then it has. */
  get usedTokens(): LaterFacts['usedTokens'] {
    const used = [...this.#tokens].filter(([id]) => this.committed.has(id) || this.#revoked.has(id));
    return new Map([
      ...this.#withdrawn,
      ...used.map(([sessionId, { key, expiresMs }]) => [key, { sessionId, expiresMs }] as const),
    ]);
  }

  /** What was denied may be granted after; what was taken back, or has ended, is never granted again. */
  get closedAccess(): LaterFacts['closedAccess'] {
    const closed = [...this.#closings].filter(
      ([id, { state, atMs }]) => state !== 'denied' || atMs >= (this.#granted.get(id) ?? -Infinity),
    );
    return new Map(closed.map(([id, { state }]) => [id, state]));
  }

  #end(sessionId: string, ending: LaterEnding): void {
    if (ending.state === 'revoked') this.#revoked.add(sessionId);
    const held = this.endedSessions.get(sessionId);
    const isEarlier = held?.state === ending.state && ending.atMs < held.atMs;
    if (held === undefined || isEarlier || (ending.state === 'revoked' && held.state === 'ended'))
      this.endedSessions.set(sessionId, ending);
  }

  #close(id: string, state: Closing, atMs: number): void {
    const held = this.#closings.get(id);
    const isLater = held?.state === state && atMs > held.atMs;
    if (held === undefined || isLater || finality[state] > finality[held.state])
      this.#closings.set(id, { state, atMs });
  }
}

/** Which of two is said. */
const finality: Readonly<Record<Closing, number>> = { denied: 0, ended: 1, revoked: 2 };
