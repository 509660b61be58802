// What runs at this moment, so that the audit has it even if the process ends before it does.

import type { AuditEvent } from '../../api/audit-event.ts';

/** An exchange, a WebSocket or a raw stream that has not ended. */
export interface OpenExchange {
  readonly sessionId: string;
  /** The event that it leaves if nothing more is heard of it. */
  unfinished(): AuditEvent;
}

/** What is open, and of what the store has a marker. Bounded by `openExchangesPerSessionMax`, which the request path enforces. */
export class OpenExchanges {
  readonly #delayMs: number;
  /** Those whose marker is missing or old, with since when; the oldest first. */
  readonly #unmarked = new Map<OpenExchange, number>();
  readonly #marked = new Set<OpenExchange>();
  readonly #bySession = new Map<string, number>();

  /** What ends within `delayMs` gets no marker. */
  constructor(delayMs: number) {
    this.#delayMs = delayMs;
  }

  /** How many of a session are open. */
  of(sessionId: string): number {
    return this.#bySession.get(sessionId) ?? 0;
  }

  /** Whether some still wait for a marker. */
  get hasUnmarked(): boolean {
    return this.#unmarked.size > 0;
  }

  /** Whether its marker is missing or old, which is known already. */
  isUnmarked(one: OpenExchange): boolean {
    return this.#unmarked.has(one);
  }

  /** Takes a new one, or one of which more is known. */
  keep(one: OpenExchange, nowMs: number): void {
    if (this.#unmarked.has(one)) return;
    this.#unmarked.set(one, nowMs);
    if (!this.#marked.has(one)) this.#bySession.set(one.sessionId, this.of(one.sessionId) + 1);
  }

  /** It has ended. Gives whether the store may have a marker. */
  leave(one: OpenExchange): boolean {
    const wasUnmarked = this.#unmarked.delete(one);
    const wasMarked = this.#marked.delete(one);
    if (!wasUnmarked && !wasMarked) return false;
    const left = this.of(one.sessionId) - 1;
    if (left === 0) this.#bySession.delete(one.sessionId);
    else this.#bySession.set(one.sessionId, left);
    return wasMarked;
  }

  hasDue(nowMs: number): boolean {
    for (const sinceMs of this.#unmarked.values()) return nowMs - sinceMs >= this.#delayMs;
    return false;
  }

  /** Those that need a marker now, at most `max`. They count as marked from here on. */
  takeDue(max: number, nowMs: number): readonly OpenExchange[] {
    const due: OpenExchange[] = [];
    for (const [one, sinceMs] of this.#unmarked) {
      if (due.length === max || nowMs - sinceMs < this.#delayMs) break;
      due.push(one);
    }
    for (const one of due) {
      this.#unmarked.delete(one);
      this.#marked.add(one);
    }
    return due;
  }
}
