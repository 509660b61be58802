// Programs of before, for tests that they and those of now understand each other: an agent that is kept as a file, and others from the history
// of the project, where it is here.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Its launcher, in a new folder there; undefined where the history does not have the commit. It uses the packages of now. */
export function earlierProgram(directory: string, commit: string): string | undefined {
  const archive = spawnSync('git', ['-C', repository, 'archive', commit, 'src', 'bin', 'package.json'], {
    maxBuffer: 1 << 28,
  });
  if (archive.status !== 0) return undefined;
  const folder = join(directory, `earlier-${commit.replaceAll(/\W/g, '-')}`);
  mkdirSync(folder);
  const unpacked = spawnSync('tar', ['-x', '-C', folder], { input: archive.stdout });
  if (unpacked.status !== 0) throw new Error(`tar: ${unpacked.stderr.toString()}`);
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
  return join(folder, 'bin', 'upstreamproxy');
}

/** What is said where there is none. */
export function noHistory(commit: string): string {
  return `the history of the project does not have ${commit} here`;
}

/**
 * The command `agent` of 65b69e57, 0.1.0 before its release, which is not made anew: `bun build --target=node --format=cjs --minify` of an entry
 * like src/cli/single-file.ts with that command alone, then brotli. Gives its launcher, in a new folder there.
 */
export function keptAgent(directory: string): string {
  const folder = join(directory, 'kept-agent');
  mkdirSync(folder);
  const kept = readFileSync(join(repository, 'test/vectors/first-release/agent.cjs.br'));
  writeFileSync(join(folder, 'agent.cjs'), brotliDecompressSync(kept));
  const launcher = join(folder, 'agent');
  const runtime = `'${process.execPath}' --disable-sigusr1 --disable-warning=ExperimentalWarning`;
  // As bin/upstreamproxy does: the runtime looks for options of its own in all arguments.
  const lines = [
    '#!/bin/sh',
    'for argument do shift; set -- "$@" "=$argument"; done',
    `exec ${runtime} '${join(folder, 'agent.cjs')}' "$@"`,
  ];
  writeFileSync(launcher, `${lines.join('\n')}\n`, { mode: 0o700 });
  return launcher;
}
