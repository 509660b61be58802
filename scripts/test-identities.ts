// `npm run test:identities`: identities that the gateway mints, signs and keeps: libraries of clouds, unchanged, in a container's place, before
// servers that are built from the published API of each service; and that none of the secrets is on the container's side. The libraries come from
// npm for this command; `IDENTITIES_TOOLS=FOLDER` keeps them there for the next time. Arguments are files of test/identities instead of all.

import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { fetchPackages } from './fetch-packages.ts';
import { testEnvironment } from './test-environment.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const fetchTimeoutMs = 300_000;
/** Each is used by a test of test/identities. */
const packages = [
  'google-auth-library@11.3.4',
  '@azure/identity@4.14.1',
  '@modelcontextprotocol/sdk@1.32.2',
  'http-message-signatures@1.0.6',
];

function main(): boolean {
  const kept = process.env['IDENTITIES_TOOLS'];
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'upstreamproxy-identities-'));
  mkdirSync(folder, { recursive: true });
  try {
    const isThere = packages.every((one) => existsSync(join(folder, 'node_modules', nameOf(one))));
    const problem = isThere ? undefined : fetchPackages(folder, packages, fetchTimeoutMs);
    if (problem !== undefined)
      console.log(`the libraries cannot be fetched, and their tests skip: ${problem}`);
    const named = process.argv.slice(2);
    const files = named.length > 0 ? named : globSync('test/identities/*.test.ts', { cwd: root }).toSorted();
    const tools = problem === undefined ? { TEST_IDENTITY_TOOLS: folder } : {};
    const env = { ...testEnvironment(process.env), TEST_IDENTITIES: '1', ...tools };
    const args = ['--disable-warning=ExperimentalWarning', '--test', '--test-concurrency=1', ...files];
    return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status === 0;
  } finally {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function nameOf(one: string): string {
  return one.slice(0, one.lastIndexOf('@'));
}

if (!main()) process.exitCode = 1;
