// What a release is bundled from, and by what: as package-lock.json has it, or there is none.

import { realpathSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import {
  checkPackages,
  type LockedPackage,
  lockedPackages,
  packageFolders,
  withDependencies,
} from './locked-packages.ts';
import { type ProgramKind, sourcesOf } from './single-file.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Its programs are packages of their own, one for each machine. */
const bunPackages: Readonly<Record<string, string>> = { x64: 'bun-linux-x64', arm64: 'bun-linux-aarch64' };

/**
 * The packages of which something is bundled, each compared with its archive. So are the bundlers, before they run. Node, which is built in too,
 * is fetched. @throws Error that names what was changed
 */
export function checkedInputs(programs: readonly ProgramKind[], work: string): readonly LockedPackage[] {
  const bundlers = ['vite', 'rolldown'].flatMap((name) => withDependencies(root, `node_modules/${name}`));
  const locked = lockedPackages(root, [...new Set(bundlers)].toSorted());
  const bun = lockedPackages(root, [`node_modules/@oven/${bunPackages[process.arch] ?? ''}`]);
  // A script of the package has moved it there.
  const path = relative(root, realpathSync(join(root, 'node_modules/.bin/bun')));
  const moved = bun.map((one) => ({ path, package: one, file: 'bin/bun' }));
  checkPackages(root, { packages: locked, programs: moved }, work);
  const packages = lockedPackages(root, packageFolders(programs.flatMap(sourcesOf)));
  checkPackages(root, { packages, programs: [] }, work);
  return packages;
}
