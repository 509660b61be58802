// Whose events an operator sees: those of sessions that are theirs.

import type { AuditEvent } from '../../api/audit-event.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { SessionStore } from '../../store/store.ts';
import { isSeen, type Operator } from './operator.ts';

/** Remembers for one operator which sessions are theirs: claims of a session never change. */
export class VisibleEvents {
  readonly #operator: Operator;
  readonly #sessions: SessionStore;
  readonly #seen = new Map<string, boolean>();

  constructor(operator: Operator, sessions: SessionStore) {
    this.#operator = operator;
    this.#sessions = sessions;
  }

  /** An event of no session is theirs only who sees all. */
  async sees({ sessionId }: Pick<AuditEvent, 'sessionId'>): Promise<boolean> {
    if (this.#operator.sees === undefined) return true;
    if (sessionId === undefined) return false;
    const known = this.#seen.get(sessionId);
    if (known !== undefined) return known;
    const session = await this.#sessions.find(sessionId);
    // One that is forgotten is nobody's of whom only some may be seen.
    const seen = session !== undefined && isSeen(this.#operator, session.claims);
    if (this.#seen.size >= defaultLimits.adminRememberedSessionsMax) this.#seen.clear();
    this.#seen.set(sessionId, seen);
    return seen;
  }
}
