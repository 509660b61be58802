import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { stringify } from 'yaml';

import {
  isRunning,
  launcher,
  startGatewayProcess,
  waitUntil,
  type GatewayProcess,
} from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { workersOf } from '../../support/worker-processes.ts';

const isRoot = process.getuid?.() === 0;
const skip = isRoot ? false : 'needs root, to start a gateway that gives it up';
/** Numbers that need no entry in the user database. */
const [uid, gid] = [54_321, 54_322];

interface Setting {
  readonly directory: string;
  readonly configFile: string;
  readonly port: number;
}

async function setting(
  stack: AsyncDisposableStack,
  files: { policyMode?: number; config?: object } = {},
): Promise<Setting> {
  const directory = stack.use(await temporaryDirectory()).path;
  chmodSync(directory, 0o755);
  writeFileSync(join(directory, 'policy.yaml'), 'rules:\n  - name: one\n    hosts: one.test\n');
  chmodSync(join(directory, 'policy.yaml'), files.policyMode ?? 0o644);
  // Root's alone: it can be read before the change of user only.
  const { cert, key } = createTestAuthority().issue('127.0.0.1');
  writeFileSync(join(directory, 'tls.pem'), cert);
  writeFileSync(join(directory, 'tls.key'), key, { mode: 0o600 });
  const port = await freeLowPort();
  const config = {
    listen: { address: '127.0.0.1', port },
    publicNames: ['127.0.0.1'],
    stateDirectory: 'state',
    policy: 'policy.yaml',
    tls: { certificate: 'tls.pem', key: 'tls.key' },
    audit: { file: 'state/audit.jsonl' },
    admin: {},
    ...files.config,
  };
  const configFile = join(directory, 'gateway.yaml');
  writeFileSync(configFile, stringify(config));
  return { directory, configFile, port };
}

async function freeLowPort(): Promise<number> {
  for (let port = 1000; port > 900; port--) {
    const server = createServer();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    server.once('error', () => resolve(false)).listen({ host: '127.0.0.1', port }, () => resolve(true));
    const free = await promise;
    if (free) await new Promise((done) => server.close(done));
    if (free) return port;
  }
  throw new Error('no low port is free');
}

function fields(process: GatewayProcess): Readonly<Record<string, string>> {
  const lines = readFileSync(`/proc/${process.pid}/status`, 'latin1').split('\n');
  return Object.fromEntries(
    lines.map((line) => [
      line.split(':')[0] ?? '',
      (line.split(':')[1] ?? '').trim().replaceAll(/\s+/g, ' '),
    ]),
  );
}

test(
  'a gateway of root with --user keeps its port and its files, and no right of root',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const { directory, configFile, port } = await setting(stack);
    const gateway = stack.use(await startGatewayProcess(configFile, {}, ['--user', `${uid}:${gid}`]));
    const status = fields(gateway);
    assert.equal(status['Uid'], Array(4).fill(uid).join(' '));
    assert.equal(status['Gid'], Array(4).fill(gid).join(' '));
    assert.equal(status['Groups'], String(gid));
    assert.equal(status['CapEff'], '0'.repeat(16));
    assert.equal(status['CapPrm'], '0'.repeat(16));
    assert.equal(status['NoNewPrivs'], '1');
    // Closed memory: what belongs to a process that is not dumpable belongs to root.
    assert.equal(statSync(`/proc/${gateway.pid}/environ`).uid, 0);
    assert.match(gateway.url, new RegExp(`:${port}$`));
    const response = spawnSync('ls', ['-lnR', join(directory, 'state')], { encoding: 'utf8' }).stdout;
    const owners = [...response.matchAll(/^[-ds]\S+ +\d+ (\d+) (\d+) .* (\S+)$/gm)].map(
      ([, user, group]) => `${user}:${group}`,
    );
    assert.ok(owners.length >= 4, response);
    assert.match(response, / admin\.sock$/m);
    assert.deepEqual([...new Set(owners)], [`${uid}:${gid}`]);
    const folder = statSync(join(directory, 'state'));
    assert.deepEqual([folder.uid, folder.gid, folder.mode & 0o777], [uid, gid, 0o700]);
    assert.doesNotMatch(gateway.log(), /warn|error/);
  },
);

test('it starts again on what it left, and its state goes on', { skip }, async () => {
  await using stack = new AsyncDisposableStack();
  const { directory, configFile } = await setting(stack);
  for (let round = 0; round < 2; round++) {
    await using gateway = await startGatewayProcess(configFile, {}, ['--user', `${uid}:${gid}`]);
    assert.equal(fields(gateway)['Uid'], Array(4).fill(uid).join(' '));
    await gateway.close();
    assert.doesNotMatch(gateway.log(), /error/);
  }
  assert.equal(statSync(join(directory, 'state', 'state.db')).uid, uid);
});

test('what a gateway left that was killed, its sockets too, is taken by the next', { skip }, async () => {
  await using stack = new AsyncDisposableStack();
  const { directory, configFile } = await setting(stack, { config: { workers: 2 } });
  const state = join(directory, 'state');
  const folders = (): readonly string[] => readdirSync(state).filter((name) => name.startsWith('workers-'));
  const start = (): Promise<GatewayProcess> =>
    startGatewayProcess(configFile, {}, ['--user', `${uid}:${gid}`]);
  const killed = stack.use(await start());
  const left = folders();
  const passage = left.find((name) => lstatSync(join(state, name)).isDirectory());
  const sockets = ['admin/admin.sock', `${passage}/1`, `${passage}/2`].map((name) => join(state, name));
  const pids = [killed.pid, ...workersOf(killed.pid)];
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await waitUntil('they are gone', () => !pids.some(isRunning));
  for (const socket of sockets) assert.ok(lstatSync(socket).isSocket());
  await using next = await start();
  assert.doesNotMatch(next.log(), /error/);
  assert.deepEqual(
    folders().filter((name) => left.includes(name)),
    [],
  );
  await next.close();
  assert.deepEqual(folders(), []);
});

for (const [what, plant] of [
  ['a symbolic link', (state: string, secret: string) => symlinkSync(secret, join(state, 'link'))],
  ['a pipe', (state: string) => spawnSync('mkfifo', [join(state, 'pipe')])],
  ['a second name of a file', (state: string, secret: string) => linkSync(secret, join(state, 'link'))],
] as const) {
  test(`${what} in the state folder gives nothing of root's away`, { skip }, async () => {
    await using stack = new AsyncDisposableStack();
    const { directory, configFile } = await setting(stack);
    const secret = join(directory, 'secret');
    writeFileSync(secret, 'root only', { mode: 0o600 });
    const state = join(directory, 'state');
    await mkdir(state, { mode: 0o700 });
    plant(state, secret);
    chownSync(state, uid, gid);
    await assert.rejects(startGatewayProcess(configFile, {}, ['--user', `${uid}:${gid}`]), /cannot be given/);
    assert.equal(statSync(secret).uid, 0);
  });
}

test('folders that all could write to are closed before what is in them is looked at', { skip }, async () => {
  await using stack = new AsyncDisposableStack();
  const { directory, configFile } = await setting(stack);
  const state = join(directory, 'state');
  const inner = join(state, 'inner');
  await mkdir(inner, { recursive: true });
  symlinkSync('/nowhere', join(inner, 'link'));
  for (const folder of [inner, state]) {
    chownSync(folder, uid, gid);
    chmodSync(folder, 0o777);
  }
  await assert.rejects(startGatewayProcess(configFile, {}, ['--user', `${uid}:${gid}`]), /cannot be given/);
  const modes = [state, inner].map((folder) => [statSync(folder).uid, statSync(folder).mode & 0o777]);
  assert.deepEqual(modes, [
    [0, 0o700],
    [0, 0o755],
  ]);
});

test('a policy that the user could not read again is refused at the start', { skip }, async () => {
  await using stack = new AsyncDisposableStack();
  const { configFile } = await setting(stack, { policyMode: 0o600 });
  const start = startGatewayProcess(configFile, {}, ['--user', `${uid}:${gid}`]);
  await assert.rejects(start, /policy\.yaml cannot be read by the user of --user/);
});

test('--user is refused without root, and for root itself', { skip }, async () => {
  await using stack = new AsyncDisposableStack();
  const { configFile } = await setting(stack);
  for (const name of ['0', 'root', `${uid}:0`]) {
    const { status, stderr } = spawnSync(launcher, ['gateway', '--config', configFile, '--user', name], {
      encoding: 'utf8',
    });
    assert.equal(status, 64, stderr);
    assert.match(stderr, /names root, or its group/);
  }
  const unknown = spawnSync(launcher, ['gateway', '--config', configFile, '--user', 'nobody-here'], {
    encoding: 'utf8',
  });
  assert.match(unknown.stderr, /there is no user "nobody-here"/);
});
