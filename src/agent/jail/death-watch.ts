// What ends the jail if the agent is killed and cannot do it: a shell that waits for the agent's end, outside of the jail.

import { spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import type { Writable } from 'node:stream';

/**
 * The command itself ends with the agent (PR_SET_PDEATHSIG), but not what it started. All of that is in the jail's network,
 * which nobody can leave, so it is found by it. `$1` is a process inside. Each round finds what was started during the one before.
 */
const script = `
exec 3<"/proc/$1/ns/net" || exit 0
[ /proc/self/ns/net -ef /proc/self/fd/3 ] && exit 0
read -r _
rounds=0
while [ "$rounds" -lt 100 ]; do
  found=
  for process in /proc/[0-9]*; do
    [ "$process/ns/net" -ef /proc/self/fd/3 ] || continue
    kill -9 "\${process#/proc/}" && found=yes
  done
  [ -z "$found" ] && exit 0
  rounds=$((rounds + 1))
done
`;

/**
 * Watches over a jail with a network of its own, of which `pid` is a process; does nothing for one without. Disposing ends
 * the watch: then the caller sees to the jail.
 */
export function watchDeath(pid: number | undefined): Disposable {
  if (pid === undefined || !hasOwnNetwork(pid)) return { [Symbol.dispose]: () => undefined };
  // A group of its own: what the terminal sends to ours is not for it.
  const watch = spawn('/bin/sh', ['-c', script, 'upstreamproxy-death-watch', String(pid)], {
    detached: true,
    env: {},
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without it the command runs as well; only after a kill of the agent something may stay.
  watch.on('error', () => undefined);
  // Without a descriptor left there is no pipe either, whatever the types say.
  const pipe: Writable | undefined = watch.stdin;
  pipe?.on('error', () => undefined);
  watch.unref();
  return { [Symbol.dispose]: () => void watch.kill('SIGKILL') };
}

function hasOwnNetwork(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync('/proc/self/ns/net');
  } catch {
    // It has ended already, and what it started is ours by adoption.
    return false;
  }
}
