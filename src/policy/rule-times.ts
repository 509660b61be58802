// When rules change though nobody changes them: they expire, or their conditions look at the clock.

import type { Rule } from './rule.ts';

/** The times of some rules. Rules are only added. */
export class RuleTimes {
  readonly #expiries = new Set<number>();
  #usesClock = false;

  add({ expiresMs, when, packages }: Pick<Rule, 'expiresMs' | 'when' | 'packages'>): void {
    if (expiresMs !== undefined) this.#expiries.add(expiresMs);
    for (const { untilMs } of packages?.exceptions ?? []) this.#expiries.add(untilMs);
    this.#usesClock ||= when?.usesTime === true;
  }

  /** Whether one of them may be another one at the second time. Where the clock went back, what had expired may hold again. */
  changesBetween(fromMs: number, toMs: number): boolean {
    if (this.#usesClock) return toMs !== fromMs;
    if (this.#expiries.size === 0) return false;
    const [first, last] = fromMs <= toMs ? [fromMs, toMs] : [toMs, fromMs];
    for (const ms of this.#expiries) if (ms > first && ms <= last) return true;
    return false;
  }
}

/** A time as rules write it: RFC 3339 with its zone. */
export function parseRuleTime(text: string): number | undefined {
  const isWritten = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  const time = isWritten ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
