// When a tunnel had no link: whoever waits for what comes through it does not count that time, up to a bound.

import type { Duplex } from 'node:stream';

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

/** Judges a timer that each octet starts again: was the silence before it too long, or could the peer not be heard for a part of it? */
export class Silence {
  readonly #absence: LinkAbsence | undefined;
  readonly #limitMs: number;
  readonly #progress: () => number;
  /** The timer was set to so long. */
  #waitedMs: number;
  #mark: number | undefined;
  #sinceMs = 0;

  /** The timer is set to `limitMs`. `progress` is another number after each octet, so a silence is one, however often it is looked at. */
  constructor(absence: LinkAbsence | undefined, limitMs: number, progress: () => number) {
    this.#absence = absence;
    this.#limitMs = limitMs;
    this.#waitedMs = limitMs;
    this.#progress = progress;
  }

  /** At the timeout: what the timer is to be set to now. Undefined: it was too long. */
  moreMs(): number | undefined {
    const nowMs = performance.now();
    const mark = this.#progress();
    if (mark !== this.#mark) {
      this.#mark = mark;
      this.#sinceMs = nowMs - this.#waitedMs;
    }
    const forgivenMs = this.#absence?.since(this.#sinceMs) ?? 0;
    const leftMs = this.#limitMs + forgivenMs - (nowMs - this.#sinceMs);
    // Timers may come a millisecond early.
    if (leftMs < 2) return undefined;
    this.#waitedMs = Math.ceil(Math.max(leftMs, lookMsMin));
    return this.#waitedMs;
  }
}

/** Of a socket or what looks like one: octets that came, and that left it. */
export function octetsMoved(socket: Duplex): number {
  const of = (name: 'bytesRead' | 'bytesWritten'): number => {
    const told: unknown = Reflect.get(socket, name);
    return typeof told === 'number' ? told : 0;
  };
  return of('bytesRead') + of('bytesWritten') - socket.writableLength;
}
