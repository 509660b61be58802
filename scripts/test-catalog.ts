// `npm run test:catalog`: entries of the catalogue with the real clients of their services, before servers of their shape: git and gh (Debian
// has both), the S3 client of AWS, and the SDKs of OpenAI and Anthropic, which come from npm for this command; `CATALOG_TOOLS=FOLDER` keeps them.

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
  const kept = process.env['CATALOG_TOOLS'];
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'upstreamproxy-catalog-'));
  mkdirSync(folder, { recursive: true });
  try {
    const problem = existsSync(join(folder, 'node_modules'))
      ? undefined
      : fetchPackages(folder, packages, fetchTimeoutMs);
    if (problem !== undefined) console.log(`the SDKs cannot be fetched, and their tests skip: ${problem}`);
    const files = globSync('test/catalog/*.test.ts', { cwd: root }).toSorted();
    const tools = problem === undefined ? { TEST_CATALOG_TOOLS: folder } : {};
    const env = { ...testEnvironment(process.env), TEST_CATALOG: '1', ...tools };
    const args = ['--disable-warning=ExperimentalWarning', '--test', '--test-concurrency=1', ...files];
    return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status === 0;
  } finally {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

if (!main()) process.exitCode = 1;
