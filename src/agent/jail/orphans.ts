// Processes that the command leaves behind: they stay in the jail, become children of the agent, and end with it.

import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { openSystemCalls, type SystemCalls } from '../../system/ffi.ts';
import { childrenOfSelf, processState } from '../kernel/process-table.ts';
import { systemCallNumbers, type SystemCallNumbers } from '../../system/system-call-numbers.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;
const pollMs = 20;

/**
 * From now on, processes whose parent ended become children of this one, and are waited for. Call it before the command
 * starts, when all own children are there. Disposing ends those that are left: SIGTERM, and SIGKILL a second later.
 */
export function adoptOrphans(): Orphans {
  const calls = openSystemCalls();
  return new Orphans(calls, systemCallNumbers());
}

/** From now on, processes whose parent ended become children of this one, to the end of it. */
export function adoptGrandchildren(): void {
  using calls = openSystemCalls();
  calls.call(systemCallNumbers().prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

export class Orphans implements AsyncDisposable {
  readonly #calls: SystemCalls;
  readonly #numbers: SystemCallNumbers;
  /** Children that the runtime knows and waits for itself. */
  readonly #own: ReadonlySet<number> = new Set(childrenOfSelf());
  readonly #onChild = (): void => this.#reap();

  constructor(calls: SystemCalls, numbers: SystemCallNumbers) {
    this.#calls = calls;
    this.#numbers = numbers;
    calls.call(numbers.prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    process.on('SIGCHLD', this.#onChild);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#endAll();
    } finally {
      process.off('SIGCHLD', this.#onChild);
      this.#calls.call(this.#numbers.prctl, PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
      this.#calls[Symbol.dispose]();
    }
  }

  async #endAll(): Promise<void> {
    const deadline = performance.now() + defaultLimits.leftoverGraceMs;
    let left = this.#adopted();
    for (const pid of left) signal(pid, 'SIGTERM');
    while (left.length > 0 && performance.now() < deadline) {
      await delay(pollMs);
      this.#reap();
      left = this.#adopted();
    }
    for (let round = 0; left.length > 0 && round < defaultLimits.leftoverKillRoundsMax; round++) {
      for (const pid of left) signal(pid, 'SIGKILL');
      await delay(pollMs);
      this.#reap();
      left = this.#adopted();
    }
  }

  #adopted(): readonly number[] {
    return childrenOfSelf().filter((pid) => !this.#own.has(pid));
  }

  /** The runtime waits only for what it started. */
  #reap(): void {
    for (const pid of this.#adopted()) {
      if (processState(pid)?.state === 'Z') this.#calls.call(this.#numbers.wait4, pid, 0, WNOHANG, 0);
    }
  }
}

function signal(pid: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
    // A stopped process takes no signal but SIGKILL until it goes on.
    process.kill(pid, 'SIGCONT');
  } catch (error) {
    // Gone in between is what was wanted; anything else is a process that is not ours to end.
    const { errno } = error as NodeJS.ErrnoException;
    if (errno !== undefined && Math.abs(errno) === constants.errno.ESRCH) return;
  }
}
