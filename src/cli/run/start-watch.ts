// A program that starts on a busy machine takes its time, and one that hangs takes it too. What tells them apart is whether it runs.

import { readFileSync } from 'node:fs';
import { defaultLimits } from '../../protocol/limits.ts';

/** Of `/proc/PID/stat`: the kernel counts hundredths of a second, whatever its own clock does (man 7 time, USER_HZ). */
const tickMs = 10;
/** What a program does that only waits. */
const idleMs = 50;

interface Bounds {
  readonly quietMs: number;
  readonly totalMs: number;
}

/** Aborts `signal` once the process got nothing done for a while, or is not done after a long time. */
export class StartWatch implements Disposable {
  readonly #processorMs: () => number | undefined;
  readonly #bounds: Bounds;
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  #doneMs = 0;
  #passedMs = 0;

  constructor(
    pid: number | undefined,
    bounds: Bounds = {
      quietMs: defaultLimits.embeddedStartTimeoutMs,
      totalMs: defaultLimits.embeddedStartLimitMs,
    },
    ran: (pid: number | undefined) => number | undefined = processorMs,
  ) {
    this.#processorMs = () => ran(pid);
    this.#bounds = bounds;
    this.#timer = setInterval(() => this.#look(), bounds.quietMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** For people, once it is aborted. */
  get reason(): string {
    return `after ${this.#passedMs} ms, of which it used ${this.#doneMs} ms of a processor`;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const before = this.#doneMs;
    this.#doneMs = this.#processorMs() ?? before;
    this.#passedMs += this.#bounds.quietMs;
    const isQuiet = this.#doneMs - before <= idleMs;
    if (isQuiet || this.#passedMs >= this.#bounds.totalMs) this.#controller.abort();
  }
}

/** What all its threads ran; undefined where nobody says. */
function processorMs(pid: number | undefined): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid ?? 0}/stat`, 'latin1');
    // Behind the name, which may have any character: utime and stime are the fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * tickMs;
  } catch {
    return undefined;
  }
}
