// `npm run test:runtimes`: the package under versions of Node that it refuses, which are installed for the time of the run. They come from the
// registry that npm is configured for, and are no dependency of anything.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { oldNodesVariable } from '../test/support/old-nodes.ts';

const majors = [20, 22, 24];
const folder = mkdtempSync(join(tmpdir(), 'upstreamproxy-runtimes-'));
const platform = `node-linux-${process.arch}`;

function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): void {
  const { status } = spawnSync(program, args, { stdio: 'inherit', ...options });
  if (status !== 0) process.exitCode = 1;
}

try {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const packages = majors.map((major) => `node${major}@npm:${platform}@${major}`);
  run('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--ignore-scripts', ...packages], {
    cwd: folder,
  });
  const nodes = majors.map((major) => join(folder, 'node_modules', `node${major}`, 'bin/node'));
  run(process.execPath, ['--disable-warning=ExperimentalWarning', '--test', 'test/e2e/package.test.ts'], {
    env: { ...process.env, [oldNodesVariable]: nodes.join(delimiter) },
  });
} finally {
  rmSync(folder, { recursive: true });
}
