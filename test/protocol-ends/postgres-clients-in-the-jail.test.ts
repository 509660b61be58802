// Clients of PostgreSQL of other people, in the jail and with nothing set up: `pg` and `postgres` of npm, psycopg and the driver of JDBC out of
// Debian's packages, in every form of TLS that each has. The server sees one role, and nobody in the jail has a password.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';

import { patienceMs } from '../support/patience.ts';
import { launcher } from '../support/program.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary-directory.ts';
import { host, password, startServer } from './support/postgres-scene.ts';
import { jdbcProgram, modes, nodeProgram, psycopgProgram } from './support/postgres-programs.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const binaries = postgresBinaries();
const tools = process.env['TEST_PROTOCOL_END_TOOLS'];
const debian = join(tools ?? '', 'debian/usr');
const hasNetwork = spawnSync('unshare', ['--net', 'true']).status === 0;
const skip =
  tools === undefined
    ? '`npm run test:protocol-ends` runs it'
    : 'missing' in binaries
      ? binaries.missing
      : hasNetwork
        ? false
        : 'no network namespace can be made here';

const jar = join(debian, 'share/java/postgresql.jar');
const python = join(debian, 'lib/python3/dist-packages');
const hasJdbc = skip === false && existsSync(jar) && spawnSync('java', ['-version']).status === 0;
const hasPsycopg =
  skip === false &&
  spawnSync('python3', ['-c', 'import psycopg'], { env: { ...process.env, PYTHONPATH: python } }).status ===
    0;

const stack = new AsyncDisposableStack();
let folder: TemporaryDirectory;
let started: Awaited<ReturnType<typeof startServer>>;
const at = (name: string): string => join(folder.path, name);

before(async () => {
  if (skip !== false) return;
  folder = stack.use(await temporaryDirectory());
  started = stack.use(await startServer());
  writeFileSync(at('ca.pem'), started.caPem);
  writeFileSync(at('password'), `${password}\n`, { mode: 0o600 });
  const rule = `name: orders-db, hosts: ${host}, ports: ${started.server.port}, addresses: 127.0.0.1/32, protocol: postgres, postgres: { databases: orders }, inject: orders-login, trust: own`;
  writeFileSync(at('policy.yaml'), `version: 1\nrules: [{ ${rule} }]\n`);
  writeFileSync(
    at('gateway.yaml'),
    `listen: { address: 127.0.0.1, port: 8443 }\npublicNames: [localhost]\nstateDirectory: state\npolicy: policy.yaml\ncredentials:\n  orders-login: { kind: login, username: agent, source: { file: password } }\ntrust:\n  own: { file: ca.pem }\nupstream:\n  hosts: { ${host}: 127.0.0.1 }\n`,
  );
  writeFileSync(
    at('clients.cjs'),
    nodeProgram(join(tools ?? '', 'node_modules'), join(root, 'node_modules')),
  );
  writeFileSync(at('clients.py'), psycopgProgram);
  writeFileSync(at('Jdbc.java'), jdbcProgram);
});
after(async () => {
  await stack.disposeAsync();
});

async function inJail(command: readonly string[]): Promise<string> {
  const given = [...command, host, String(started.server.port)];
  const child = spawn(launcher, ['run', '--config', at('gateway.yaml'), '--', ...given], {
    env: { PATH: process.env['PATH'], HOME: folder.path },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  assert.ok(!`${out}${err}`.includes(password));
  return `${out}${err}`;
}

function assertAll(out: string, client: string, expected: readonly string[]): void {
  const done = expected.filter((mode) => out.includes(`${client} ${mode} ok`));
  assert.deepEqual(done, expected, out);
}

test('`pg` and `postgres` of npm', { skip, timeout: 8 * patienceMs }, async () => {
  const out = await inJail([process.execPath, at('clients.cjs')]);
  assertAll(out, 'pg', ['disable', 'require', 'verify-full']);
  assertAll(out, 'postgres', ['disable', 'allow', 'prefer', 'require', 'verify-full']);
});

test(
  'psycopg',
  { skip: skip === false && !hasPsycopg ? 'there is no psycopg' : skip, timeout: 8 * patienceMs },
  async () => {
    assertAll(await inJail(['env', `PYTHONPATH=${python}`, 'python3', at('clients.py')]), 'psycopg', modes);
  },
);

test(
  'the driver of JDBC',
  { skip: skip === false && !hasJdbc ? 'there is no Java, or no driver' : skip, timeout: 8 * patienceMs },
  async () => {
    assertAll(await inJail(['java', '-cp', jar, at('Jdbc.java')]), 'jdbc', modes);
  },
);
