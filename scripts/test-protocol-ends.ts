// `npm run test:protocol-ends`: protocols that the gateway ends by rule, with real servers and clients: PostgreSQL with psql, `pg`, `postgres`,
// psycopg and JDBC, over every form of TLS and every way to log in; Redis with redis-cli, `redis`, `ioredis` and redis-py, and a cluster of two servers; SSH with sshd, ssh and git. The
// packages of Redis come from npm for this command; `PROTOCOL_END_TOOLS=FOLDER` keeps them there for the next time.

import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { fetchPackages } from './fetch-packages.ts';
import { testEnvironment } from './test-environment.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const fetchTimeoutMs = 300_000;
const packages = ['redis@6.3.1', 'ioredis@6.0.0', 'postgres@3.4.9'];
/** Clients that are in no registry of npm; only their files are used. */
const debianPackages = ['python3-psycopg', 'libpostgresql-jdbc-java', 'python3-redis'];

function main(): boolean {
  const kept = process.env['PROTOCOL_END_TOOLS'];
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'upstreamproxy-protocol-ends-'));
  mkdirSync(folder, { recursive: true });
  try {
    const problem = existsSync(join(folder, 'node_modules'))
      ? undefined
      : fetchPackages(folder, packages, fetchTimeoutMs);
    fetchDebian(join(folder, 'debian'));
    if (problem !== undefined) console.log(`the clients cannot be fetched, and their tests skip: ${problem}`);
    const files = globSync(['test/gateway/{databases,ssh}/**/*.test.ts', 'test/protocol-ends/*.test.ts'], {
      cwd: root,
    });
    const tools = problem === undefined ? { TEST_PROTOCOL_END_TOOLS: folder } : {};
    const env = { ...testEnvironment(process.env), TEST_PROTOCOL_ENDS: '1', ...tools };
    const args = [
      '--disable-warning=ExperimentalWarning',
      '--test',
      '--test-concurrency=1',
      ...files.toSorted(),
    ];
    return spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }).status === 0;
  } finally {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** Where that does not work, the tests of these clients say so and skip. */
function fetchDebian(folder: string): void {
  if (existsSync(join(folder, 'usr'))) return;
  mkdirSync(folder, { recursive: true });
  const options = { cwd: folder, stdio: 'ignore', timeout: fetchTimeoutMs } as const;
  spawnSync('apt-get', ['download', ...debianPackages], options);
  for (const file of globSync('*.deb', { cwd: folder })) spawnSync('dpkg', ['-x', file, '.'], options);
}

if (!main()) process.exitCode = 1;
