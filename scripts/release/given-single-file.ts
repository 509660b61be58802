// The single file that a package or an image brings along: the given one, or one that is built for this machine.

import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { ProgramKind } from './single-file.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface WantedFile {
  readonly program: ProgramKind;
  readonly architecture: string;
  /** The option that gives one, and its value. */
  readonly option: string;
  readonly given: string | undefined;
  /** Where one is built. */
  readonly work: string;
}

/** Its path. @throws Error, with what the build said */
export function givenSingleFile({ program, architecture, option, given, work }: WantedFile): string {
  if (given !== undefined) return resolve(given);
  if (architecture !== process.arch)
    throw new Error(`give ${option}: single files of ${architecture} are not built by this command`);
  const out = join(work, `upstreamproxy-${program}`);
  const args = ['scripts/build-agent.ts', '--program', program, '--out', out];
  const { status, error, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0)
    throw new Error(`the ${program} cannot be built: ${status ?? error?.message}\n${stdout}${stderr}`);
  return out;
}
