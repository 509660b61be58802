// What ends the jail if the agent is killed and cannot do it, where no namespace of processes does: a shell that waits for the agent's
// end, outside of the jail.

import { spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import type { Writable } from 'node:stream';

/** How all that the command started is found. */
export interface Watched {
  /** Its network, as the link below /proc names it: `net:[4026531840]`. Measured inside, for a process that is closed shows it to nobody else. */
  readonly network?: string | undefined;
  /** Its control group. */
  readonly group?: string | undefined;
}

/**
 * The command itself ends with the agent (PR_SET_PDEATHSIG), but not what it started. The kernel ends a group at once. Else all of it is in
 * the jail's network, which nobody can leave, so it is found by it; each round finds what was started during the one before. A process
 * that cannot be looked at is passed over, and is no reason to end.
 */
const script = `
read -r _
if [ -n "$2" ]; then
  echo 1 > "$2/cgroup.kill"
  rounds=0
  while [ "$rounds" -lt 100 ] && [ -d "$2" ]; do
    rmdir "$2" && break
    rounds=$((rounds + 1))
  done
fi
[ -n "$1" ] || exit 0
rounds=0
while [ "$rounds" -lt 100 ]; do
  found=
  for process in $(ls -l /proc/[0-9]*/ns/net | sed -n "s|^.* /proc/\\([0-9]*\\)/ns/net -> $1\\$|\\1|p"); do
    kill -9 "$process" && found=yes
  done
  [ -z "$found" ] && exit 0
  rounds=$((rounds + 1))
done
`;

/** Watches over a jail with a group or a network of its own; does nothing for one without. Disposing ends the watch: then the caller sees to the jail. */
export function watchDeath({ network, group }: Watched): Disposable {
  const own = network === undefined || network === networkOfSelf() ? '' : network;
  if (own === '' && group === undefined) return { [Symbol.dispose]: () => undefined };
  const pattern = own.replaceAll(/[[\]]/g, String.raw`\$&`);
  // A group of its own: what the terminal sends to ours is not for it.
  const watch = spawn('/bin/sh', ['-c', script, 'upstreamproxy-death-watch', pattern, group ?? ''], {
    detached: true,
    env: { PATH: '/usr/bin:/bin' },
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

/** The network of this process, which may always look at itself; undefined where /proc shows it to nobody. */
export function networkOfSelf(): string | undefined {
  try {
    return readlinkSync('/proc/thread-self/ns/net');
  } catch {
    return undefined;
  }
}
