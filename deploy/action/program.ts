// The program that does the work: installed for this job, or where somebody has installed it.

import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';

import { runToEnd } from './child.ts';
import type { Inputs } from './inputs.ts';
import { ActionError } from './runner.ts';

const packageFile = new URL('../../package.json', import.meta.url);

/** Gives the path of the program; what is installed is in `folder`. Throws ActionError. */
export async function findProgram({ program, version, lock }: Inputs, folder: string): Promise<string> {
  if (program !== undefined) return installedProgram(program);
  mkdirSync(folder, { mode: 0o700 });
  if (lock !== undefined) {
    takeLock(lock, folder);
    await npm(['ci'], 'what package-lock.json names', folder);
  } else {
    // The action and the program of one tag belong together.
    const wanted =
      version ?? (JSON.parse(readFileSync(packageFile, 'utf8')) as { readonly version: string }).version;
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    await npm(['install', '--no-save', `upstreamproxy@${wanted}`], `upstreamproxy@${wanted}`, folder);
  }
  return installedProgram(join(folder, 'node_modules', '.bin', 'upstreamproxy'));
}

async function npm(command: readonly string[], what: string, folder: string): Promise<void> {
  // A cache of its own: to that of the home earlier steps may have written what npm would take for the package.
  const cache = `--cache=${join(folder, 'cache')}`;
  const options = [cache, '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  const { code, missing } = await runToEnd('npm', [...command, ...options], { cwd: folder });
  if (missing)
    throw new ActionError(
      'there is no npm on the PATH of this job to install upstreamproxy by; install it before, and name it: program',
    );
  if (code !== 0) throw new ActionError(`npm could not install ${what}; the log says why`);
}

interface LockEntry {
  readonly integrity?: unknown;
}

/** One whole digest: npm takes what has less as it comes. */
const digest = /^sha512-[A-Za-z0-9+/]{86}==$/;

/** Copies it, with the package.json beside it. npm takes a package without a digest as it comes, so that each has to have one. Throws ActionError. */
function takeLock(lock: string, folder: string): void {
  let packages: Readonly<Record<string, LockEntry>>;
  try {
    const text = readFileSync(lock, 'utf8');
    ({ packages = {} } = JSON.parse(text) as { readonly packages?: Readonly<Record<string, LockEntry>> });
    writeFileSync(join(folder, 'package-lock.json'), text);
    writeFileSync(join(folder, 'package.json'), readFileSync(join(dirname(lock), 'package.json')));
  } catch (error) {
    throw new ActionError(
      `lock is a package-lock.json with a package.json beside it: ${(error as Error).message}`,
    );
  }
  if (!Object.hasOwn(packages, 'node_modules/upstreamproxy'))
    throw new ActionError(
      `${lock} has no upstreamproxy: npm install --save-exact upstreamproxy makes one that has`,
    );
  // The first entry is the project itself. One that says that it is in the archive of another package may not be there, and npm fetches it then.
  for (const [path, { integrity }] of Object.entries(packages))
    if (path !== '' && !(typeof integrity === 'string' && digest.test(integrity)))
      throw new ActionError(`${lock} has no digest of ${path}, so anything could be installed for it`);
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
