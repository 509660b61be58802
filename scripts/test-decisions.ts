// `npm run test:decisions`: proofs about policies and chains of sessions beside what is tried one by one, and real clients that are held while
// somebody is asked. SDKs of services of models come from npm for this command; `DECISIONS_TOOLS=FOLDER` keeps them there for the next time.

import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { fetchPackages } from './fetch-packages.ts';
import { testEnvironment } from './test-environment.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const fetchTimeoutMs = 300_000;
const packages = ['openai@7.57.0', '@anthropic-ai/sdk@1.14.0'];

function main(): boolean {
  const kept = process.env['DECISIONS_TOOLS'];
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'upstreamproxy-decisions-'));
  mkdirSync(folder, { recursive: true });
  try {
    const problem = existsSync(join(folder, 'node_modules'))
      ? undefined
      : fetchPackages(folder, packages, fetchTimeoutMs);
    if (problem !== undefined) console.log(`the SDKs cannot be fetched, and their tests skip: ${problem}`);
    const files = globSync(['test/policy/proof/*.test.ts', 'test/decisions/*.test.ts'], { cwd: root });
    const tools = problem === undefined ? { TEST_DECISIONS_TOOLS: folder } : {};
    const env = { ...testEnvironment(process.env), DECISIONS_RUNS: '2000', ...tools };
    const args = [
      '--disable-warning=ExperimentalWarning',
      '--test',
      '--test-concurrency=2',
      ...files.toSorted(),
    ];
    return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status === 0;
  } finally {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

if (!main()) process.exitCode = 1;
