// `npm run test:action`: the action and the component in whole jobs, by the version of Node that GitHub's runner has. That,
// `gitlab-ci-local`, and Microsoft's validator of SARIF come from the registry that npm is configured for, for the time of the run.

import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { oldNodesVariable } from '../test/support/old-nodes.ts';
import { testEnvironment } from './test-environment.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'upstreamproxy-action-'));
const platform = `node-linux-${process.arch}`;

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd = root): void {
  const { status } = spawnSync(program, args, { stdio: 'inherit', env, cwd });
  if (status !== 0) process.exitCode = 1;
}

try {
  const env = testEnvironment(process.env);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const options = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts'];
  // The second is for x64 alone.
  const peers = ['gitlab-ci-local', ...(process.arch === 'x64' ? ['@microsoft/sarif-multitool-linux'] : [])];
  run('npm', ['install', ...options, `node24@npm:${platform}@24`, ...peers], env, folder);
  const modules = join(folder, 'node_modules');
  const node = join(modules, 'node24', 'bin', 'node');
  const files = globSync('test/action/*.{test,action}.ts', { cwd: root }).sort();
  // Its processes are many, and wait for each other.
  const args = ['--disable-warning=ExperimentalWarning', '--test', '--test-concurrency=2', ...files];
  run(process.execPath, args, {
    ...env,
    [oldNodesVariable]: [node, env[oldNodesVariable]].filter(Boolean).join(delimiter),
    ACTION_PEERS: modules,
  });
} finally {
  rmSync(folder, { recursive: true });
}
