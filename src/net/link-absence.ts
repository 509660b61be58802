// When a tunnel had no link: whoever waits for what comes through it does not count that time, up to a bound.

import { defaultLimits } from '../protocol/limits.ts';

export interface LinkAbsence {
  /** How much of the time since then (by `performance.now()`) is not to be counted. */
  since(sinceMs: number): number;
}

interface Gap {
  readonly fromMs: number;
  readonly toMs: number;
}

export class LinkGaps implements LinkAbsence {
  readonly #nowMs: () => number;
  readonly #forgivenMsMax: number;
  readonly #gaps: Gap[] = [];
  #fromMs: number | undefined;

  /** @param forgivenMsMax of one wait: who gives up a link again and again must not be waited for without an end */
  constructor(nowMs: () => number, forgivenMsMax: number) {
    this.#nowMs = nowMs;
    this.#forgivenMsMax = forgivenMsMax;
  }

  begin(): void {
    this.#fromMs ??= this.#nowMs();
  }

  end(): void {
    if (this.#fromMs === undefined) return;
    this.#gaps.push({ fromMs: this.#fromMs, toMs: this.#nowMs() });
    this.#fromMs = undefined;
    if (this.#gaps.length > defaultLimits.linkGapsMax) this.#gaps.shift();
  }

  since(sinceMs: number): number {
    const all = this.#fromMs === undefined ? this.#gaps : [...this.#gaps, this.#openGap(this.#fromMs)];
    const goneMs = all.reduce(
      (sum, { fromMs, toMs }) => sum + Math.max(0, toMs - Math.max(fromMs, sinceMs)),
      0,
    );
    return Math.min(goneMs, this.#forgivenMsMax);
  }

  #openGap(fromMs: number): Gap {
    return { fromMs, toMs: this.#nowMs() };
  }
}

/** Looked at so often while there is no link. */
const lookMsMin = 100;

/** Calls once `ms` have passed in which the peer could be reached; until it is cleared. */
export function deadlineWith(
  absence: LinkAbsence | undefined,
  ms: number,
  onTimeout: () => void,
): { clear(): void } {
  const sinceMs = performance.now();
  let timer = setTimeout(look, ms);
  function look(): void {
    const leftMs = ms + (absence?.since(sinceMs) ?? 0) - (performance.now() - sinceMs);
    // Timers may come a millisecond early.
    if (leftMs < 2) onTimeout();
    else timer = setTimeout(look, Math.max(leftMs, lookMsMin));
  }
  return { clear: () => clearTimeout(timer) };
}

/** Whether somebody who was silent for so long could not be heard for a part of it: then one more such time is due. */
export function wasAway(absence: LinkAbsence | undefined, silentMs: number): boolean {
  return (absence?.since(performance.now() - silentMs) ?? 0) > 0;
}
