// The name of a process in the names of its folders, so that another can tell whether it still runs.

import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { processState } from './process-table.ts';

/**
 * `PLACE-PID-START`: of this boot and this namespace of process numbers, for in another container the same number is another
 * process; the number; and its start in ticks since the boot (proc(5), field 22 of stat). Undefined where /proc does not say, and for a process that
 * has ended.
 */
export function processMark(pid = process.pid): string | undefined {
  const place = processPlace();
  const { state, started } = processState(pid) ?? {};
  // Ended, and not waited for, which a container without an init leaves so.
  if (state === 'Z') return undefined;
  return place === undefined || started === undefined ? undefined : `${place}-${pid}-${started}`;
}

/** Undefined where /proc does not say. */
export function processPlace(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');
    const namespace = readlinkSync('/proc/self/ns/pid');
    return createHash('sha256').update(boot).update(namespace).digest('hex').slice(0, 8);
  } catch {
    return undefined;
  }
}

/** Whether a process of this place still runs by its mark. */
export function isMarkAlive(mark: string): boolean {
  const [, pid] = /^[0-9a-f]{8}-(\d+)-\d+$/.exec(mark) ?? [];
  return pid !== undefined && processMark(Number(pid)) === mark;
}
