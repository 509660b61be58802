// How much one receiver is told: what a workload can make happen a thousand times is told once, and never in place of what somebody waits for.

import { TokenBucket } from '../../protocol/token-bucket.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { NoticeKind } from '../config/notice-kinds.ts';
import type { Notice } from './notice.ts';

/** Those that somebody waits for, and those that come from the gateway itself, have a rate of their own each. */
type Class = 'asked' | 'alarm' | 'other';
const classOf = {
  question: 'asked',
  access: 'asked',
  alarm: 'alarm',
  budget: 'other',
  denial: 'other',
} as const satisfies Record<NoticeKind, Class>;

const minuteMs = 60_000;
/** Of what is asked, one session with all that it made has at most one of so many parts: the others are for others. */
const askedParts = 3;

export class NoticeFlood {
  readonly #perSecond: number;
  readonly #buckets: Readonly<Record<Class, TokenBucket>>;
  readonly #shares: AskedShares;
  /** When the same was told, oldest first. */
  readonly #told = new Map<string, number>();
  #untold = 0;

  constructor(perMinute: number, nowMs: number) {
    this.#perSecond = perMinute / 60;
    const bucket = (): TokenBucket => new TokenBucket(this.#perSecond, nowMs, perMinute);
    this.#buckets = { asked: bucket(), alarm: bucket(), other: bucket() };
    this.#shares = new AskedShares(perMinute / askedParts);
  }

  /** Whether it is told, and how many were not since the last one that was. */
  admit(notice: Notice, nowMs: number): { readonly untold: number } | undefined {
    const of = classOf[notice.kind];
    const key = of === 'other' ? keyOf(notice) : undefined;
    if (key !== undefined && this.#isRepeated(key, nowMs)) return undefined;
    if (!this.#take(notice, nowMs)) {
      this.#untold += 1;
      return undefined;
    }
    if (key !== undefined) this.#note(key, nowMs);
    const untold = this.#untold;
    this.#untold = 0;
    return { untold };
  }

  /** What a session has no share for takes nothing from the others, and where there is nothing no share is spent. */
  #take({ kind, ownerId }: Notice, nowMs: number): boolean {
    const of = classOf[kind];
    const bucket = this.#buckets[of];
    if (bucket.secondsUntil(1, this.#perSecond, nowMs) > 0) return false;
    if (of === 'asked' && ownerId !== undefined && !this.#shares.take(ownerId, nowMs)) return false;
    return bucket.take(this.#perSecond, nowMs) === 0;
  }

  #isRepeated(key: string, nowMs: number): boolean {
    const toldMs = this.#told.get(key);
    return toldMs !== undefined && nowMs - toldMs < defaultLimits.noticeRepeatMs;
  }

  #note(key: string, nowMs: number): void {
    this.#told.delete(key);
    this.#told.set(key, nowMs);
    if (this.#told.size <= defaultLimits.noticeRepeatsMax) return;
    const [oldest] = this.#told.keys();
    if (oldest !== undefined) this.#told.delete(oldest);
  }
}

/** A share that nobody took from for so long is whole again and is forgotten: there are no more than were told of in this time. */
const wholeAgainMs = askedParts * minuteMs;

class AskedShares {
  readonly #perMinute: number;
  /** By session, the one longest ago first. */
  readonly #shares = new Map<string, { readonly bucket: TokenBucket; readonly takenMs: number }>();

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  take(ownerId: string, nowMs: number): boolean {
    this.#forget(nowMs);
    const perSecond = this.#perMinute / 60;
    const burst = Math.ceil(this.#perMinute);
    const bucket = this.#shares.get(ownerId)?.bucket ?? new TokenBucket(perSecond, nowMs, burst);
    if (bucket.take(perSecond, nowMs) > 0) return false;
    this.#shares.delete(ownerId);
    this.#shares.set(ownerId, { bucket, takenMs: nowMs });
    return true;
  }

  #forget(nowMs: number): void {
    for (const [ownerId, { takenMs }] of this.#shares) {
      // A clock that goes back keeps none for longer.
      if (Math.abs(nowMs - takenMs) < wholeAgainMs) return;
      this.#shares.delete(ownerId);
    }
  }
}

function keyOf({ kind, facts }: Notice): string {
  const { sessionId, host, port, rule, errorCode } = facts;
  return JSON.stringify([kind, sessionId, host, port, rule, errorCode]);
}
