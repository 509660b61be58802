// Versions of Node that the library refuses, where the machine has them.

import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';

/** Programs beside those on PATH, separated as PATH is: `npm run test:runtimes` sets it. */
export const oldNodesVariable = 'OLD_NODES';

/** A program of exactly this major version, or undefined. */
export function nodeOfMajor(major: number): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/bin', '/usr/bin'];
  const named = (process.env[oldNodesVariable] ?? '').split(delimiter).filter((path) => path !== '');
  return [...named, ...folders.map((folder) => join(folder, 'node'))].find((path) => {
    const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 });
    return (stdout ?? '').startsWith(`v${major}.`);
  });
}
