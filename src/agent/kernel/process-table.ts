// What /proc says about a process (proc_pid_stat(5)).

import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessState {
  /** `R`, `S`, `D`, `T` stopped, `Z` ended and not waited for, … */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  /** Device number of the controlling terminal; 0 without one. */
  readonly terminal: number;
  /** The group that the terminal's keys go to; -1 without a terminal. */
  readonly foregroundGroup: number;
  /** When it started, in ticks since the boot: a number that comes again is another process. */
  readonly started: string;
}

/** Undefined if there is no such process. */
export function processState(pid: number | 'self'): ProcessState | undefined {
  const text = readOrEmpty(`/proc/${pid}/stat`);
  // The name in parentheses may hold spaces and parentheses of its own.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, , terminal, foregroundGroup] = fields;
  if (state === undefined || foregroundGroup === undefined) return undefined;
  return {
    state,
    parent: Number(parent),
    group: Number(group),
    terminal: Number(terminal),
    foregroundGroup: Number(foregroundGroup),
    // Field 22; the state is field 3.
    started: fields[19] ?? '',
  };
}

/** The children of this process, ended ones too. */
export function childrenOfSelf(): readonly number[] {
  return childrenOf('self');
}

/** All that a process has started and that has started more, as far as parents are still there. */
export function descendantsOf(pid: number): readonly number[] {
  const found: number[] = [];
  const next = [pid];
  for (let parent = next.pop(); parent !== undefined; parent = next.pop()) {
    const children = childrenOf(parent);
    found.push(...children);
    next.push(...children);
  }
  return found;
}

function childrenOf(pid: number | 'self'): readonly number[] {
  return threadsOf(pid).flatMap((thread) =>
    readOrEmpty(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
  );
}

function threadsOf(pid: number | 'self'): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    // It has ended.
    return [];
  }
}

/** The soft limit of open files of a process; undefined if it cannot be seen or has no bound. */
export function openFilesSoft(pid: number): number | undefined {
  const match = /^Max open files\s+(\d+)/m.exec(readOrEmpty(`/proc/${pid}/limits`));
  return match === null ? undefined : Number(match[1]);
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Gone, or a kernel without the file: nothing is known.
    return '';
  }
}
