// Which process has placed something outside of its own folder, so that another can tell whether it still runs.

import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { processState } from '../jail/process-table.ts';

export interface Owner {
  readonly pid: number;
  /** Start of the process in ticks since the boot: a number that comes again is another process. */
  readonly started: string;
  readonly boot: string;
  readonly pidNamespace: string;
  readonly host: string;
}

export function ownOwner(): Owner {
  return {
    pid: process.pid,
    started: startOf('self') ?? '',
    boot: readOrEmpty('/proc/sys/kernel/random/boot_id'),
    pidNamespace: pidNamespaceOfSelf(),
    host: hostname(),
  };
}

/**
 * Whether that process has ended for certain. Of a container that shares a folder with this one nothing is known, so it
 * counts as running; one with this host's name was this container before it was started again.
 */
export function hasEnded(owner: Owner): boolean {
  if (owner.host !== hostname()) return false;
  const self = ownOwner();
  if (owner.boot !== self.boot || owner.pidNamespace !== self.pidNamespace) return true;
  return startOf(owner.pid) !== owner.started;
}

/** Undefined if there is no such process, or only what is left of one. */
function startOf(pid: number | 'self'): string | undefined {
  const found = processState(pid);
  return found === undefined || found.state === 'Z' ? undefined : found.started;
}

function pidNamespaceOfSelf(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    // Kernels without namespaces have one.
    return '';
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    // Gone, or hidden: nothing is known.
    return '';
  }
}
