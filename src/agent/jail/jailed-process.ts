// The command as a process that the helper started and left to this one, which adopts the children of its children: what a ChildProcess
// tells, for a child of which the runtime knows nothing.

import { type ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { constants } from 'node:os';
import { openSystemCalls, type SystemCalls } from '../../system/ffi.ts';
import { errnoName } from '../../system/kernel-fault.ts';
import { systemCallNumbers } from '../../system/system-call-numbers.ts';

const WNOHANG = 1;
const lookMs = 500;

/** What is needed of a child process: `exit` with code and signal, or `error`, once. */
export interface RunningCommand extends EventEmitter {
  readonly pid?: number | undefined;
  kill(signal: NodeJS.Signals): boolean;
}

/** Until it has started, signals wait for it. */
export class JailedProcess extends EventEmitter implements RunningCommand {
  #pid: number | undefined;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #waiting: NodeJS.Signals[] = [];
  readonly #calls: SystemCalls = openSystemCalls();
  readonly #onChild = (): void => this.#look();

  get pid(): number | undefined {
    return this.#pid;
  }

  /** It runs, still as a child of the helper. */
  started(pid: number): void {
    this.#pid = pid;
    for (const signal of this.#waiting) this.kill(signal);
  }

  /** The helper has ended, and what it started is ours; or it started nothing, and as it ended, so ends the command. */
  helperEnded({ exitCode, signalCode }: Pick<ChildProcess, 'exitCode' | 'signalCode'>): void {
    if (this.#pid === undefined) return this.#end(exitCode, signalCode);
    process.on('SIGCHLD', this.#onChild);
    // A listener for signals keeps no process from ending, and of two ends that come together one signal is told.
    this.#timer = setInterval(this.#onChild, lookMs);
    // It may have ended before.
    this.#look();
  }

  failed(error: Error): void {
    this.#forget();
    this.emit('error', error);
  }

  #forget(): void {
    this.#ended = true;
    process.off('SIGCHLD', this.#onChild);
    clearInterval(this.#timer);
    this.#calls[Symbol.dispose]();
  }

  kill(signal: NodeJS.Signals): boolean {
    if (this.#ended) return false;
    if (this.#pid === undefined) return this.#waiting.push(signal) > 0;
    try {
      return process.kill(this.#pid, signal);
    } catch {
      // It has become somebody whom this user may not signal, or is gone.
      return false;
    }
  }

  #look(): void {
    if (this.#ended || this.#pid === undefined) return;
    const status = new Int32Array(1);
    const bytes = new Uint8Array(status.buffer);
    const waited = this.#calls.call(systemCallNumbers().wait4, this.#pid, bytes, WNOHANG, 0);
    if (waited === 0) return;
    if (waited < 0) return this.failed(new Error(`wait4: ${errnoName(-waited)}`));
    // wait(2): the low seven bits are the signal, the next octet the code.
    const [value = 0] = status;
    const number = value & 0x7f;
    const name = Object.entries(constants.signals).find(([, known]) => known === number)?.[0];
    // `constants.signals` has the names of NodeJS.Signals.
    if (number === 0) this.#end((value >> 8) & 0xff, null);
    else this.#end(null, (name ?? 'SIGKILL') as NodeJS.Signals);
  }

  #end(code: number | null, signal: NodeJS.Signals | null): void {
    this.#forget();
    this.emit('exit', code, signal);
  }
}
