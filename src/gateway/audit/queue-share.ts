// Whose events wait for the store: no session has more of the queue than it leaves to others, so that there is room for who comes next.

import { ProxyError } from '../../protocol/error.ts';
import type { AuditEntry } from '../../store/store.ts';

export class QueueShare {
  readonly #waiting = new Map<string, number>();

  add({ sessionId }: AuditEntry): void {
    if (sessionId !== undefined) this.#waiting.set(sessionId, this.#of(sessionId) + 1);
  }

  remove({ sessionId }: AuditEntry): void {
    if (sessionId === undefined) return;
    const left = this.#of(sessionId) - 1;
    if (left > 0) this.#waiting.set(sessionId, left);
    else this.#waiting.delete(sessionId);
  }

  /** Why the session may begin nothing, with so much room left for all; undefined where it may, or where nobody may. */
  over(sessionId: string, left: number): ProxyError | undefined {
    if (left <= 0 || this.#of(sessionId) < left) return undefined;
    return new ProxyError(
      'limit_exceeded',
      'the audit has more events of the session than it can store now (auditQueueEventsMax); try again in 1 s',
      { limit: 'auditQueueEventsMax', retryAfterSeconds: 1 },
    );
  }

  /**
   * Whether what the session begins now should wait for the store: it comes close to what `over` refuses. What runs already still ends
   * with its event, so there is room for that in between.
   */
  isClose(sessionId: string, left: number): boolean {
    return this.#of(sessionId) * 2 >= left;
  }

  #of(sessionId: string): number {
    return this.#waiting.get(sessionId) ?? 0;
  }
}
