// The program that does the work: installed for this job, or where somebody has installed it.

import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

import { runToEnd } from './child.ts';
import type { Inputs } from './inputs.ts';
import { ActionError } from './runner.ts';

const packageFile = new URL('../../package.json', import.meta.url);

/** Gives the path of the program; what is installed is in `folder`. Throws ActionError. */
export async function findProgram({ program, version }: Inputs, folder: string): Promise<string> {
  if (program !== undefined) return installedProgram(program);
  // The action and the program of one tag belong together.
  const wanted =
    version ?? (JSON.parse(readFileSync(packageFile, 'utf8')) as { readonly version: string }).version;
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  // A cache of its own: to that of the home earlier steps may have written what npm would take for the package.
  const cache = `--cache=${join(folder, 'cache')}`;
  const options = [cache, '--no-audit', '--no-fund', '--no-save', '--ignore-scripts', '--loglevel=error'];
  const { code, missing } = await runToEnd('npm', ['install', ...options, `upstreamproxy@${wanted}`], {
    cwd: folder,
  });
  if (missing)
    throw new ActionError(
      'there is no npm on the PATH of this job to install upstreamproxy by; install it before, and name it: program',
    );
  if (code !== 0) throw new ActionError(`npm could not install upstreamproxy@${wanted}; the log says why`);
  return installedProgram(join(folder, 'node_modules', '.bin', 'upstreamproxy'));
}

function installedProgram(path: string): string {
  if (!isAbsolute(path)) throw new ActionError(`program is an absolute path, not ${JSON.stringify(path)}`);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new ActionError(`there is no program at ${path}`);
  }
  return path;
}
