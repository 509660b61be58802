// CPU time and memory of processes, from /proc.

import { readFileSync, readdirSync } from 'node:fs';

/**
 * CPU time of processes with all their threads since the reader was made: to the nanosecond where the kernel keeps `schedstat`, else in
 * ticks of 10 ms (`getconf CLK_TCK`). What a thread used before it ended stays counted.
 */
export class CpuReader {
  readonly #pids: readonly number[];
  /** Nanoseconds of each thread when it was last seen. */
  readonly #threads = new Map<string, number>();
  readonly #ticksAtStart: number;
  #nanoseconds = 0;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
    this.#ticksAtStart = this.#ticks();
    this.#look();
    this.#nanoseconds = 0;
  }

  seconds(): number {
    this.#look();
    return this.#threads.size > 0 ? this.#nanoseconds / 1e9 : (this.#ticks() - this.#ticksAtStart) / 100;
  }

  #look(): void {
    for (const pid of this.#pids)
      for (const [thread, now] of threadNanoseconds(pid)) {
        this.#nanoseconds += now - (this.#threads.get(thread) ?? 0);
        this.#threads.set(thread, now);
      }
  }

  #ticks(): number {
    return this.#pids.reduce((sum, pid) => sum + processTicks(pid), 0);
  }
}

function threadNanoseconds(pid: number): [string, number][] {
  const found: [string, number][] = [];
  for (const thread of entries(`/proc/${pid}/task`)) {
    const text = textOf(`/proc/${pid}/task/${thread}/schedstat`);
    if (text !== '') found.push([`${pid}/${thread}`, Number(text.slice(0, text.indexOf(' ')))]);
  }
  return found;
}

function processTicks(pid: number): number {
  const text = textOf(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

/** Of a process or thread that is gone there is nothing. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Resident kilobytes of the processes together. */
export function residentKilobytes(pids: readonly number[]): number {
  return pids.reduce(
    (sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(textOf(`/proc/${pid}/status`))?.[1] ?? 0),
    0,
  );
}

/** The process and everything below it. */
export function withDescendants(root: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of entries('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const text = textOf(`/proc/${pid}/stat`);
    parents.set(pid, Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const found = [root];
  for (const parent of found) for (const [pid, of] of parents) if (of === parent) found.push(pid);
  return found;
}
