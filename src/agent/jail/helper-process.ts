// The process of the jail's helper, and one that was started ahead: the runtime of the helper loads while the agent reads what it is to do.

import { type ChildProcess, spawn } from 'node:child_process';
import type { HelperProgram, JailLayer } from './jail-plan.ts';
import { namespaceStart } from './network-namespace.ts';

/** What has to be known before there is a plan. */
export interface HelperStart {
  readonly program: HelperProgram;
  readonly layers: readonly JailLayer[];
  /** Another program starts it, and what that one says on standard error is for us. */
  readonly hasStarter: boolean;
}

/**
 * Once the helper has begun a namespace of processes the kernel refuses it new threads, and Bun ends without one that it wants: so its
 * engine is to want none for compiling and collecting. Node has all of its own from the start.
 */
const withoutThreads: Readonly<Record<string, string>> = {
  BUN_JSC_useConcurrentJIT: '0',
  BUN_JSC_useConcurrentGC: '0',
  BUN_JSC_numberOfGCMarkers: '1',
};

/**
 * With a starter the helper gets the command's standard error on another descriptor. One that cannot be started has no process, and its
 * error comes with the next turn.
 */
export function spawnHelper({ program, layers, hasStarter }: HelperStart): ChildProcess {
  const child = spawn(program.file, [...program.args], {
    stdio: [
      'inherit',
      'inherit',
      hasStarter ? 'pipe' : 'inherit',
      'pipe',
      // The channel carries listeners, which a pipe cannot.
      layers.includes('network') ? 'ipc' : 'ignore',
      hasStarter ? 2 : 'ignore',
      layers.includes('processes') ? 'pipe' : 'ignore',
    ],
    // The command's environment comes later, as data: it must not steer our own program.
    env: {
      ...(hasStarter ? { LC_ALL: 'C' } : {}),
      ...(process.versions['bun'] === undefined ? {} : withoutThreads),
    },
  });
  // What a process says of itself later, such as that a signal was refused, its end tells.
  child.on('error', () => {});
  return child;
}

/** A helper that waits for its plan. Disposed, one that nobody took ends. */
export class HelperAhead implements Disposable {
  readonly #start: HelperStart;
  #child: ChildProcess | undefined;

  private constructor(start: HelperStart) {
    this.#start = start;
    this.#child = spawnHelper(start);
  }

  /** For layers that are likely; undefined where none can be started that makes namespaces. */
  static start(program: HelperProgram, layers: readonly JailLayer[]): HelperAhead | undefined {
    const start = namespaceStart(program);
    if ('reason' in start) return undefined;
    return new HelperAhead({ program: start.program, layers, hasStarter: start.startedBy !== undefined });
  }

  /** The process, where it waits and was started just so; the caller owns it. One that cannot be started is told of by the next. */
  take(wanted: HelperStart): ChildProcess | undefined {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return undefined;
    if (startText(this.#start) !== startText(wanted)) return undefined;
    this.#child = undefined;
    return child;
  }

  [Symbol.dispose](): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}

function startText({ program: { file, args }, layers, hasStarter }: HelperStart): string {
  return JSON.stringify([file, args, layers, hasStarter]);
}
