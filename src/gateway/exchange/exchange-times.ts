// When the stages of an exchange were over, by the clock that does not jump. Taking one costs some 50 ns.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { OriginConnection } from '../forward/forwarder.ts';

type Times = NonNullable<AuditEvent['times']>;
type Stage = keyof Times;

export class ExchangeTimes {
  readonly #now: () => number;
  readonly #beganMs: number;
  #times: { -readonly [Name in Stage]?: number } | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#beganMs = now();
  }

  sinceBeginMs(): number {
    return this.#offset(this.#now());
  }

  decided(): void {
    const decidedMs = this.#offset(this.#now());
    // The first stage of nearly all.
    if (this.#times === undefined) this.#times = { decidedMs };
    else this.#times.decidedMs = decidedMs;
  }

  /** A connection takes the request: what it took to open it counts where this request waited for it. */
  dialled({ isKept, dialTimes }: OriginConnection): void {
    if (isKept !== true && dialTimes !== undefined) {
      const { resolvedMs, dialledMs, securedMs } = dialTimes;
      if (resolvedMs !== undefined) this.#over('resolvedMs', resolvedMs);
      this.#over('dialledMs', dialledMs);
      if (securedMs !== undefined) this.#over('securedMs', securedMs);
    }
    this.sent();
  }

  sent(): void {
    const sentMs = this.#offset(this.#now());
    if (this.#times === undefined) this.#times = { sentMs };
    else this.#times.sentMs = sentMs;
  }

  responded(): void {
    const firstByteMs = this.#offset(this.#now());
    if (this.#times === undefined) this.#times = { firstByteMs };
    else this.#times.firstByteMs = firstByteMs;
  }

  completed(): void {
    const lastByteMs = this.#offset(this.#now());
    if (this.#times === undefined) this.#times = { lastByteMs };
    else this.#times.lastByteMs = lastByteMs;
  }

  /** What is known so far; what becomes known later is in it too. */
  event(): Times | undefined {
    return this.#times;
  }

  #over(stage: Stage, atMs: number): void {
    const offset = this.#offset(atMs);
    if (this.#times === undefined) this.#times = { [stage]: offset };
    else this.#times[stage] = offset;
  }

  /** To a hundredth of a millisecond. What was over before this began took it no time. */
  #offset(atMs: number): number {
    return Math.max(0, Math.round((atMs - this.#beganMs) * 100) / 100);
  }
}
