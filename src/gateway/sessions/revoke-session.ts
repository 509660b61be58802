// A session ended by an operator, by whatever way they came: it ends, and then its event is stored.

import { ProxyError } from '../../protocol/error.ts';
import type { SessionRecord, SessionStore } from '../../store/store.ts';
import type { SessionStep } from '../audit/session-audit.ts';
import { recordEndedWith } from './child-sessions.ts';

export interface RevocationDesk {
  readonly sessions: SessionStore;
  /** Who revokes, for the audit. */
  readonly operator: string;
  /** Resolves when the event is stored; throws `audit_unavailable`. */
  readonly record: (step: SessionStep) => Promise<void>;
}

/** Ends the session for good. @throws ProxyError session_unknown, audit_unavailable */
export async function revokeSession(
  { sessions, operator, record }: RevocationDesk,
  id: string,
  { reason, nowMs }: { readonly reason: string; readonly nowMs: number },
): Promise<SessionRecord> {
  const session = await sessions.find(id);
  const isEnded = await sessions.end(id, { state: 'revoked', reason }, nowMs);
  if (session === undefined) throw new ProxyError('session_unknown', 'there is no such session');
  if (!isEnded)
    throw new ProxyError('session_unknown', `the session is over: ${session.reason ?? session.state}`);
  // The session ends first: an audit that fails must not keep it alive.
  await record({
    action: 'revoked',
    nowMs,
    sessionId: id,
    principal: session.principalId,
    message: `The session was revoked: ${reason}.`,
    details: { operator },
  });
  await recordEndedWith(sessions, session, (step) => record({ ...step, nowMs, details: { operator } }));
  return session;
}
