// What runs at this moment, so that the audit has it even if the process ends before it does.

import type { AuditEvent } from '../../api/audit-event.ts';

/** An exchange, a WebSocket or a raw stream that has not ended. */
export interface OpenExchange {
  readonly sessionId: string;
  /** The event that it leaves if nothing more is heard of it. */
  unfinished(): AuditEvent;
  /** Kept by `OpenExchanges`, and nobody else's. */
  openPlace?: OpenPlace | undefined;
}

/** One that waits for its marker, between those that came before and behind it. */
export interface OpenPlace {
  readonly one: OpenExchange;
  readonly sinceMs: number;
  before: OpenPlace | undefined;
  behind: OpenPlace | undefined;
}

/** What is open, and of what the store has a marker. Bounded by `openExchangesPerSessionMax`, which the request path enforces. */
export class OpenExchanges {
  readonly #delayMs: number;
  /**
   * Those whose marker is missing or old, from the oldest on. No Map: through it as many exchanges go as are served, and V8 makes another
   * table for each few of them. Each table leads to the next one, so once one is old, all behind it become old, with the exchanges in them.
   */
  #oldest: OpenPlace | undefined;
  #newest: OpenPlace | undefined;
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
    return this.#oldest !== undefined;
  }

  /** Whether its marker is missing or old, which is known already. */
  isUnmarked(one: OpenExchange): boolean {
    return one.openPlace !== undefined;
  }

  /** Takes a new one, or one of which more is known. */
  keep(one: OpenExchange, nowMs: number): void {
    if (one.openPlace !== undefined) return;
    const place: OpenPlace = { one, sinceMs: nowMs, before: this.#newest, behind: undefined };
    if (this.#newest === undefined) this.#oldest = place;
    else this.#newest.behind = place;
    this.#newest = place;
    one.openPlace = place;
    if (!this.#marked.has(one)) this.#bySession.set(one.sessionId, this.of(one.sessionId) + 1);
  }

  /** It has ended. Gives whether the store may have a marker. */
  leave(one: OpenExchange): boolean {
    const wasUnmarked = one.openPlace !== undefined;
    if (one.openPlace !== undefined) this.#remove(one.openPlace);
    const wasMarked = this.#marked.delete(one);
    if (!wasUnmarked && !wasMarked) return false;
    const left = this.of(one.sessionId) - 1;
    if (left === 0) this.#bySession.delete(one.sessionId);
    else this.#bySession.set(one.sessionId, left);
    return wasMarked;
  }

  hasDue(nowMs: number): boolean {
    return this.#oldest !== undefined && nowMs - this.#oldest.sinceMs >= this.#delayMs;
  }

  /** Those that need a marker now, at most `max`. They count as marked from here on. */
  takeDue(max: number, nowMs: number): readonly OpenExchange[] {
    const due: OpenExchange[] = [];
    while (this.#oldest !== undefined && due.length < max && this.hasDue(nowMs)) {
      const { one } = this.#oldest;
      this.#remove(this.#oldest);
      due.push(one);
      this.#marked.add(one);
    }
    return due;
  }

  /** What is removed leads nowhere. */
  #remove(place: OpenPlace): void {
    const { one, before, behind } = place;
    if (before === undefined) this.#oldest = behind;
    else before.behind = behind;
    if (behind === undefined) this.#newest = before;
    else behind.before = before;
    place.before = place.behind = undefined;
    one.openPlace = undefined;
  }
}
