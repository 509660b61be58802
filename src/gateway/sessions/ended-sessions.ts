// Sessions that ended lately, for the time in which the store cannot be asked: what is revoked stays out. Other gateways are told of them.

import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { NumberedEnding } from '../../store/store.ts';
import { clockSkewSeconds } from './session-token.ts';

interface HeardEnding extends NumberedEnding {
  readonly heardMs: number;
}

/** How many of those that were heard last are at hand in their order; whoever is further behind looks through all. */
const recentEndings = 4096;
const endingsOfPage = 256;

/** Of an ending of which it is not known yet, or no more, which change of the store it is. */
export const withoutNumber = 0;

/** As long as an access token may live, with what a store that is away adds to that; no shorter than sessions that a store may lose. */
export function endedKeptMsOf({
  accessTokenLifetimeMs,
  storeOutageMs,
}: Pick<Limits, 'accessTokenLifetimeMs' | 'storeOutageMs'>): number {
  const servedMs = accessTokenLifetimeMs + storeOutageMs + clockSkewSeconds * 1000;
  // Their endings are told with them.
  return Math.max(servedMs, defaultLimits.historyKeptMs);
}

export class EndedSessions {
  /** By their ids; the oldest first. */
  readonly #ended = new Map<string, HeardEnding>();
  /** Of those that were heard last, and how many were heard before them. */
  #recent: NumberedEnding[] = [];
  #before = 0;
  readonly #keptMs: number;
  readonly #max: number;
  /** Reasons are few, and each is kept once. */
  readonly #reasons = new Map<string, string>();
  /** Until then some may be missing. */
  #incompleteUntilMs = Number.NEGATIVE_INFINITY;

  /** @param keptMs as long as an access token may live, with what a store that is away adds to that */
  constructor(keptMs: number, max: number = defaultLimits.endedSessionsMax) {
    this.#keptMs = keptMs;
    this.#max = max;
  }

  /** How many were heard until now. */
  get heard(): number {
    return this.#before + this.#recent.length;
  }

  has(sessionId: string): boolean {
    return this.#ended.has(sessionId);
  }

  find(sessionId: string): NumberedEnding | undefined {
    return this.#ended.get(sessionId);
  }

  isComplete(nowMs: number): boolean {
    return nowMs > this.#incompleteUntilMs;
  }

  add(ending: NumberedEnding, nowMs: number): void {
    const { sessionId, sequence, state, reason } = ending;
    const kept = { sessionId, sequence, state, reason: this.#known(reason), heardMs: nowMs };
    this.#ended.delete(sessionId);
    this.#ended.set(sessionId, kept);
    this.#recent.push(kept);
    if (this.#recent.length >= 2 * recentEndings) {
      this.#before += recentEndings;
      this.#recent = this.#recent.slice(recentEndings);
    }
    for (const [id, { heardMs }] of this.#ended) {
      const isOld = nowMs - heardMs > this.#keptMs;
      if (!isOld && this.#ended.size <= this.#max) return;
      this.#ended.delete(id);
      if (!isOld) this.#incompleteUntilMs = heardMs + this.#keptMs;
    }
  }

  /** The store went back: the numbers were those of another history. */
  forgetNumbers(): void {
    for (const [id, ending] of this.#ended) this.#ended.set(id, { ...ending, sequence: withoutNumber });
    this.#recent = this.#recent.map((ending) => ({ ...ending, sequence: withoutNumber }));
  }

  /** Those that were heard behind the first `heard` ones; undefined where that is too far back. */
  heardBehind(heard: number): readonly NumberedEnding[] | undefined {
    return heard < this.#before ? undefined : this.#recent.slice(heard - this.#before);
  }

  /** All with a number above this one or without any, a page at a time: what is heard meanwhile is among them. */
  *pagesAbove(sequence: number): Generator<readonly NumberedEnding[]> {
    let page: NumberedEnding[] = [];
    let looked = 0;
    for (const ending of this.#ended.values()) {
      if (ending.sequence > sequence || ending.sequence === withoutNumber) page.push(ending);
      looked += 1;
      if (page.length < endingsOfPage && looked % recentEndings !== 0) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  }

  /** Throws ProxyError `session_revoked` for one that ended, `store_unavailable` where that cannot be told. */
  assertKnownAlive(sessionId: string, nowMs: number): void {
    this.assertNotEnded(sessionId);
    if (this.isComplete(nowMs)) return;
    throw new ProxyError(
      'store_unavailable',
      'The store of the gateway is away, and too many sessions ended lately; try again later.',
      { limit: 'endedSessionsMax', retryAfterSeconds: defaultLimits.storeRetryAfterSeconds },
    );
  }

  /** Throws ProxyError `session_revoked` for one that ended, whatever the store says: it may have gone back. */
  assertNotEnded(sessionId: string): void {
    if (this.#ended.has(sessionId))
      throw new ProxyError('session_revoked', 'The session ended; enrol with a new token.');
  }

  /** Those that were heard last, the oldest of them first. */
  latest(count: number): readonly NumberedEnding[] {
    return [...this.#ended.values()].slice(-count);
  }

  #known(reason: string): string {
    const known = this.#reasons.get(reason);
    if (known !== undefined) return known;
    if (this.#reasons.size >= endingsOfPage) this.#reasons.clear();
    this.#reasons.set(reason, reason);
    return reason;
  }
}
