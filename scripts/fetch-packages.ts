// Packages that one command alone needs, from npm into a folder of its own: nothing is installed in the checkout.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Installs them without running anything of theirs; `overrides` as in a package.json. Undefined: it worked; else why not. */
export function fetchPackages(
  folder: string,
  packages: readonly string[],
  timeoutMs: number,
  overrides: Readonly<Record<string, string>> = {},
): string | undefined {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ private: true, overrides })}\n`);
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
  const { status, stderr, error } = spawnSync('npm', ['install', ...options, ...packages], {
    cwd: folder,
    encoding: 'utf8',
    timeout: timeoutMs,
  });
  return status === 0
    ? undefined
    : `npm install ended with ${status ?? error?.message}\n${stderr.slice(-2_000)}`;
}
