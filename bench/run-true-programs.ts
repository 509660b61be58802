// Programs that `run -- true` is timed with: our package as npm installs it, and a sandbox of others that does a part of the same.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A command line that runs `true`. */
export interface TimedProgram {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

const root = fileURLToPath(new URL('..', import.meta.url));
const peer = '@anthropic-ai/sandbox-runtime';

/** Packed and installed as a user has it, with a gateway of its own. */
export function installOurs(directory: string): TimedProgram {
  mustRun('npm', ['pack', '--pack-destination', directory], root);
  const archive = readdirSync(directory).find((name) => name.endsWith('.tgz'));
  const folder = installIn(join(directory, 'ours'), join(directory, archive ?? 'upstreamproxy.tgz'));
  const file = join(folder, 'node_modules/.bin/upstreamproxy');
  return { name: 'npm: run -- true', file, args: ['run', '--quiet', '--', 'true'], env: environment(folder) };
}

/**
 * By npm into a folder of the run; it is no dependency. A string says why it cannot be had. It starts no process outside of its
 * sandbox but two forwarders, ends no TLS and has no credentials.
 */
export function installPeer(directory: string): TimedProgram | string {
  try {
    const folder = installIn(join(directory, 'peer'), peer);
    const program = { file: join(folder, 'node_modules/.bin/srt'), args: ['true'], env: environment(folder) };
    const { status, stderr } = spawnSync(program.file, program.args, { env: program.env, encoding: 'utf8' });
    if (status !== 0) return `${peer} does not run here: ${stderr.trim()}`;
    return { name: `npm: ${peer}, srt true`, ...program };
  } catch (error) {
    return `${peer} cannot be installed: ${String(error)}`;
  }
}

function environment(home: string): TimedProgram['env'] {
  return { PATH: process.env['PATH'], HOME: home, LANG: 'C.UTF-8' };
}

function installIn(folder: string, what: string): string {
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  mustRun('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', what], folder);
  return folder;
}

function mustRun(file: string, args: readonly string[], cwd: string): void {
  const { status, stderr, error } = spawnSync(file, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ended with ${status}: ${error?.message ?? stderr.trim()}`);
}
