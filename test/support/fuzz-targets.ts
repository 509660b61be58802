// The fuzz targets are the files of fuzz/; one that is added there is found.

import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

export const fuzzFolder = fileURLToPath(new URL('../../fuzz/', import.meta.url));

/** Names of all targets, without the extension. Throws if there is none: a check must fail when it sees nothing. */
export function fuzzTargets(): readonly string[] {
  // The frame that targets share is none itself.
  const names = globSync('*.ts', { cwd: fuzzFolder }).map((file) => basename(file, '.ts'));
  const targets = names.filter((name) => name !== 'run-target').sort();
  if (targets.length === 0) throw new Error(`no fuzz target in ${fuzzFolder}`);
  return targets;
}
