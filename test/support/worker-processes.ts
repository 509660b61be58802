// The worker processes of a gateway that runs, as the kernel shows them.

import { readdirSync, readFileSync } from 'node:fs';

/** Their ids, the oldest first. */
export function workersOf(supervisor: number): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === supervisor)
    .toSorted((a, b) => a - b);
}

function parentOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Behind the name, which may have any character: state, parent.
    return Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    // It ended meanwhile.
    return 0;
  }
}
