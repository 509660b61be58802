// What `upstreamproxy run` started, and which of it is the gateway.

import { readdirSync, readFileSync } from 'node:fs';

export interface RunningProcess {
  readonly pid: number;
  readonly isGateway: boolean;
}

/** The process and what it started. */
export function processesOf(pid: number): readonly RunningProcess[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It ended meanwhile.
    }
  }
  const isBelow = (one: number): boolean => one === pid || isBelowParent(parents.get(one));
  const isBelowParent = (parent: number | undefined): boolean =>
    parent !== undefined && parent > 1 && isBelow(parent);
  return [...parents.keys()].filter(isBelow).flatMap((one) => {
    try {
      const isGateway = readFileSync(`/proc/${one}/cmdline`, 'latin1').includes('embedded-gateway');
      return [{ pid: one, isGateway }];
    } catch {
      // It ended meanwhile, too.
      return [];
    }
  });
}
