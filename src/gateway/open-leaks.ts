// What becomes of a session that tried too often to send what may not leave.

import { asProxyError, type ProxyError } from '../protocol/error.ts';
import type { Limits } from '../protocol/limits.ts';
import type { SessionAudit } from './audit/session-audit.ts';
import { LeakLedger } from './leaks/leak-ledger.ts';
import type { SessionService } from './sessions/session-service.ts';

export interface LeakEnding {
  readonly limits: Limits;
  readonly clock: () => number;
  readonly sessions: Pick<SessionService, 'revoke' | 'onEnded'>;
  readonly record: SessionAudit['record'];
  readonly onFault: (error: ProxyError) => void;
}

/** A session that has reached `leakMatchesMax` is ended, and an alarm says so. */
export function openLeakLedger({ limits, clock, sessions, record, onFault }: LeakEnding): LeakLedger {
  const reason = 'it tried too often to send what may not leave (leakMatchesMax)';
  const end = async (sessionId: string, matches: number): Promise<void> => {
    // It ends first: an audit that fails must not keep it alive.
    await sessions.revoke(sessionId, reason);
    await record({
      action: 'leaks_exceeded',
      nowMs: clock(),
      sessionId,
      message: `The session is ended: ${reason}.`,
      details: { matches },
    });
  };
  const ledger = new LeakLedger({
    limits,
    onExceeded: (sessionId, matches) => {
      end(sessionId, matches).catch((error: unknown) => onFault(asProxyError(error)));
    },
  });
  sessions.onEnded((sessionId) => ledger.forget(sessionId));
  return ledger;
}
