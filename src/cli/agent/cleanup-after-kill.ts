// A process beside this one that takes away what a killed session has placed in HOME and in the system's stores.

import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

import type { Environment } from '../terminal/workload-environment.ts';

/** What `cleanup` needs to find the places. */
const neededNames = ['PATH', 'HOME', 'XDG_STATE_HOME', 'TMPDIR'];

/**
 * A shell waits for a line that only an orderly end writes; if its input ends without one, it becomes `cleanup`. Where
 * there is no shell, the next session does it. Disposing the result lets it go.
 */
export function cleanUpAfterKill(command: readonly string[], environment: Environment): Disposable {
  const needed = neededNames.flatMap((name) => {
    const value = environment[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const script = 'read -r _ || exec "$@"';
  const watcher = spawn('/bin/sh', ['-c', script, 'sh', ...command, 'cleanup', '--quiet'], {
    env: Object.fromEntries(needed),
    stdio: ['pipe', 'ignore', 'ignore'],
    // What ends our process group is to be outlived.
    detached: true,
  });
  watcher.on('error', () => {});
  // Without a descriptor left there is no pipe either, whatever the types say: then the next session does it.
  const pipe: Writable | undefined = watcher.stdin;
  pipe?.on('error', () => {});
  watcher.unref();
  return {
    [Symbol.dispose]: () => {
      pipe?.end('\n');
    },
  };
}
