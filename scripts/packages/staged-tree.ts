// The files of a package as a tree on disk, which the tools of the formats pack. Modes and times are those of the package, whoever builds it.

import {
  chmodSync,
  copyFileSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

import { foldersOf, type PackageFile } from './package-contents.ts';

/** Into `folder`, which is made. `epoch`: seconds, of every file and folder. */
export function stageTree(folder: string, files: readonly PackageFile[], epoch: number): void {
  mkdirSync(folder, { recursive: true });
  for (const file of files) {
    const target = join(folder, file.path);
    mkdirSync(dirname(target), { recursive: true });
    if ('leadsTo' in file) {
      symlinkSync(file.leadsTo, target);
      lutimesSync(target, epoch, epoch);
      continue;
    }
    if ('copyOf' in file) copyFileSync(file.copyOf, target);
    else writeFileSync(target, file.bytes);
    chmodSync(target, file.mode);
    utimesSync(target, epoch, epoch);
  }
  for (const path of ['', ...foldersOf(files)].toReversed()) {
    chmodSync(join(folder, path), 0o755);
    utimesSync(join(folder, path), epoch, epoch);
  }
}
