// Which processes a test file left behind: each file runs with a mark in its environment, which its children inherit.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export const markName = 'TEST_RUN_MARK';

export interface LeftProcess {
  readonly pid: number;
  readonly command: string;
}

/** Processes other than this one whose environment has the mark. Those that this user cannot read are not seen. */
export function leftProcesses(mark: string): LeftProcess[] {
  const needle = `${markName}=${mark}\0`;
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        if (!`${readFileSync(`/proc/${name}/environ`, 'latin1')}\0`.includes(needle)) return [];
        readlinkSync(`/proc/${name}/exe`);
        const command = readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ').trim();
        return [{ pid: Number(name), command: command.slice(0, 200) }];
      } catch {
        // Ended meanwhile, or not ours to look at.
        return [];
      }
    });
}
