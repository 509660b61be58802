// A control group of the command's own (cgroups(7)), where one can be had: one write ends all that is in it, and no chain of processes
// outruns that. It is for where there is no namespace of processes.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { defaultLimits } from '../../protocol/limits.ts';
import { mounts } from './kernel-files.ts';

const pollMs = 20;

export class CommandGroup implements AsyncDisposable {
  readonly path: string;
  #isClosed = false;

  private constructor(path: string) {
    this.path = path;
  }

  /** A new group below this process's own, with `pid` and what it will start; undefined where the kernel or its mounts refuse. */
  static open(pid: number | undefined, parent: string | undefined = ownGroup()): CommandGroup | undefined {
    if (pid === undefined || parent === undefined) return undefined;
    const path = join(parent, `upstreamproxy-${process.pid}-${randomBytes(4).toString('hex')}`);
    try {
      mkdirSync(path);
    } catch {
      // Read-only, or not this user's.
      return undefined;
    }
    try {
      // Linux 5.14 and newer.
      if (existsSync(join(path, 'cgroup.kill'))) {
        writeFileSync(join(path, 'cgroup.procs'), String(pid));
        if (processesOf(path).includes(pid)) return new CommandGroup(path);
      }
    } catch {
      // It may be made and not be entered.
    }
    remove(path);
    return undefined;
  }

  /** Ends what is in it: SIGTERM, a second later all at once. Harmless when it was called before. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    for (const pid of processesOf(this.path)) {
      signal(pid, 'SIGTERM');
      // A stopped process takes no signal but SIGKILL until it goes on.
      signal(pid, 'SIGCONT');
    }
    await this.#emptied(defaultLimits.leftoverGraceMs);
    await this.end();
  }

  /** At once. */
  async end(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      writeFileSync(join(this.path, 'cgroup.kill'), '1');
    } catch {
      // Somebody removed it, so it was empty.
    }
    await this.#emptied(defaultLimits.leftoverKilledMs);
    remove(this.path);
  }

  async #emptied(withinMs: number): Promise<void> {
    for (let waitedMs = 0; waitedMs < withinMs && processesOf(this.path).length > 0; waitedMs += pollMs)
      await delay(pollMs);
  }
}

/** The folder of this process's group in the unified hierarchy. */
export function ownGroup(): string | undefined {
  const path = /^0::(.*)$/m.exec(readOrEmpty('/proc/self/cgroup'))?.[1];
  if (path === undefined || path.split('/').includes('..')) return undefined;
  for (const { place, root, type } of mounts()) {
    if (type !== 'cgroup2') continue;
    if (root === '/') return join(place, path);
    if (path === root || path.startsWith(`${root}/`)) return join(place, path.slice(root.length));
  }
  return undefined;
}

function processesOf(group: string): readonly number[] {
  return readOrEmpty(join(group, 'cgroup.procs')).split('\n').filter(Boolean).map(Number);
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Gone: nothing is in it.
    return '';
  }
}

function remove(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // What cannot be ended, such as a process in an unreachable file system, keeps it.
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}
