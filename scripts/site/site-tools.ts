// The programs that make the site and its diagrams: a package with a lock file of its own, site/.

import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Installs site/package-lock.json, unless that is what is there. Throws where it cannot. */
export function installSiteTools(root: string): void {
  const site = join(root, 'site');
  const installed = join(site, 'node_modules/.package-lock.json');
  const wanted = join(site, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  runIn(site, 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
}

/** Runs a command and shows what it says. Throws if it fails. */
export function runIn(folder: string, command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`, { cause: error });
}
