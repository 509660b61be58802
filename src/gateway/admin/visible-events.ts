// Whose events an operator sees: those of sessions that are theirs. A session that the store has forgotten is known by the event of its enrolment.

import type { AuditEvent } from '../../api/audit-event.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { Store } from '../../store/store.ts';
import { recallClaims } from '../sessions/recalled-session.ts';
import { isSeen, type Operator } from './operator.ts';

/** Remembers for one operator which sessions are theirs: claims of a session never change. */
export class VisibleEvents {
  readonly #operator: Pick<Operator, 'sees'>;
  readonly #store: Pick<Store, 'sessions' | 'audit'>;
  readonly #seen = new Map<string, boolean>();

  constructor(operator: Pick<Operator, 'sees'>, store: Pick<Store, 'sessions' | 'audit'>) {
    this.#operator = operator;
    this.#store = store;
  }

  /** An event of no session is theirs only who sees all. */
  async sees({ sessionId }: Pick<AuditEvent, 'sessionId'>): Promise<boolean> {
    if (this.#operator.sees === undefined) return true;
    if (sessionId === undefined) return false;
    const known = this.#seen.get(sessionId);
    if (known !== undefined) return known;
    // One of which nothing is kept is nobody's of whom only some may be seen.
    const seen = isSeen(this.#operator, await recallClaims(this.#store, sessionId));
    if (this.#seen.size >= defaultLimits.adminRememberedSessionsMax) this.#seen.clear();
    this.#seen.set(sessionId, seen);
    return seen;
  }
}
