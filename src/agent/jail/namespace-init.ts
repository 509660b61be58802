// The agent's side of the init of the command's namespace of processes: its end is the end of all that the command started.

import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { openSystemCalls, type SystemCalls } from '../../system/ffi.ts';
import { descendantsOf } from '../kernel/process-table.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';
import { defaultLimits } from '../../protocol/limits.ts';

const WNOHANG = 1;
const pollMs = 20;

export class NamespaceInit implements AsyncDisposable {
  readonly pid: number;
  readonly #stream: Duplex;
  readonly #calls: SystemCalls = openSystemCalls();
  #isClosed = false;
  #ended = false;

  constructor(pid: number, stream: Duplex) {
    this.pid = pid;
    this.#stream = stream;
    stream.on('error', () => {});
    stream.resume();
  }

  /** Ends what the command left: SIGTERM, a second later all at once. Harmless when it was called before. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    const deadline = performance.now() + defaultLimits.leftoverGraceMs;
    // The kernel gives it what has lost its parent. What is missed here ends with it.
    let left = descendantsOf(this.pid);
    for (const pid of left) {
      signal(pid, 'SIGTERM');
      // A stopped process takes no signal but SIGKILL until it goes on.
      signal(pid, 'SIGCONT');
    }
    while (left.length > 0 && performance.now() < deadline) {
      await delay(pollMs);
      left = descendantsOf(this.pid);
    }
    await this.end();
  }

  /** At once. */
  async end(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stream.destroy();
    // It ends with its input too.
    if (!this.#hasEnded()) signal(this.pid, 'SIGKILL');
    const deadline = performance.now() + defaultLimits.leftoverKilledMs;
    // It is mostly gone at once.
    for (let waitMs = 1; !this.#hasEnded() && performance.now() < deadline; waitMs = Math.min(5, 2 * waitMs))
      await delay(waitMs);
    this.#calls[Symbol.dispose]();
  }

  /** The runtime waits for what it started, and this it did not. */
  #hasEnded(): boolean {
    if (this.#ended) return true;
    this.#ended = this.#calls.call(systemCallNumbers().wait4, this.pid, 0, WNOHANG, 0) === this.pid;
    return this.#ended;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}
