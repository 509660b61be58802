// What every format needs of a build, and how its tool is run.

import { spawnSync } from 'node:child_process';

export interface Build {
  /** The checkout. */
  readonly root: string;
  /** As npm has it. */
  readonly version: string;
  readonly architecture: 'x64' | 'arm64';
  /** Where the packages go. */
  readonly out: string;
  /** A folder of the build alone. */
  readonly work: string;
  /** Seconds, of all files: the same input gives the same bytes. */
  readonly epoch: number;
  /** `NAME <ADDRESS>`. */
  readonly maintainer: string;
  /** Packed in little time: larger, and for tests. */
  readonly isQuick: boolean;
}

/** Where nobody says who looks after the packages: an address that leads nowhere. */
export const defaultMaintainer = 'upstreamproxy packages <packages@upstreamproxy.invalid>';

/** Nothing of the caller's environment goes into a package but where programs are found. */
export function runTool(file: string, args: readonly string[], epoch: number): void {
  const { status, error, stdout, stderr } = spawnSync(file, args, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TZ: 'UTC', SOURCE_DATE_EPOCH: String(epoch) },
  });
  if (status === 0) return;
  throw new Error(`${file} ended with ${status ?? error?.message}\n${stdout}\n${stderr}`);
}

/** Lines of at most `width` characters. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
