// The examples of an orchestrator, run as they stand against a gateway that serves the admin API on a port with TLS.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openAdmin } from '../../src/admin/admin.ts';
import { runCommand } from '../support/command.ts';
import { mustRunShared } from '../support/command-process.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { freePort } from '../support/free-port.ts';
import { endChild, launcher } from '../support/program.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const authority = createTestAuthority();
let folder: TemporaryDirectory;
let set: Deployment;
let server: string;
let env: NodeJS.ProcessEnv;
const file = (name: string): string => join(folder.path, name);

before(async () => {
  folder = await temporaryDirectory();
  const { cert, key } = authority.issue('127.0.0.1');
  writeFileSync(file('cert.pem'), cert);
  writeFileSync(file('key.pem'), key, { mode: 0o600 });
  writeFileSync(file('ca.pem'), authority.caPem);
  const port = await freePort();
  server = `https://127.0.0.1:${port}`;
  const listen = { port, certificate: file('cert.pem'), key: file('key.pem') };
  set = await deploy({
    rules: [{ name: 'nothing', hosts: ['never.test'] }],
    config: { policy: 'store', admin: { sessionTokens: 'operator', listen } },
  });
  for (const role of ['operator', 'administrator'])
    await mustRunShared([
      'operator',
      'token',
      ...['--name', role, '--role', role, '--for', '1h', '--out', file(role)].concat(
        '--config',
        set.configFile,
      ),
    ]);
  env = {
    PATH: `${dirname(launcher)}:${process.env['PATH']}`,
    HOME: folder.path,
    UPSTREAMPROXY_ADMIN: server,
    UPSTREAMPROXY_ADMIN_CA: file('ca.pem'),
    UPSTREAMPROXY_ADMIN_TOKEN_FILE: file('operator'),
    UPSTREAMPROXY_GATEWAY: set.gateway.url,
    UPSTREAMPROXY_GATEWAY_CA: set.gatewayCaFile,
  };
});
after(async () => {
  await set?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

const open = (role: string) => openAdmin({ server, tokenFile: file(role), ca: authority.caPem });

/** Is refused, asks for it, and goes on once the policy lets it: the name is then looked up, which there is not. */
const workload = `
  const { request } = require('node:http');
  const { setTimeout: wait } = require('node:timers/promises');
  const url = 'https://docs.test/guide';
  const status = async () => (await fetch(url)).status;
  const ask = () => new Promise((done) => {
    const asked = request({ port: new URL(process.env.http_proxy).port, method: 'POST', path: 'http://upstreamproxy.invalid/access',
      headers: { host: 'upstreamproxy.invalid', 'content-type': 'application/json' } }, (response) => response.resume().on('end', done));
    asked.end(JSON.stringify({ url, method: 'GET', reason: 'the build needs it' }));
  });
  (async () => {
    if ((await status()) !== 403) throw new Error('it was not refused');
    await ask();
    while ((await status()) === 403) await wait(100);
    console.log('the workload was let through');
  })();`;

/** What every example of an orchestrator prints, in whichever language. */
async function runExample(program: string, args: readonly string[]): Promise<void> {
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', '-e', workload];
  const { code, stdout, stderr } = await runCommand(program, [...args, ...command], {
    env,
    timeoutMs: 90_000,
  });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.deepEqual(stdout.trim().split('\n'), [
    'started as https://127.0.0.1|build-17',
    'refused GET docs.test/guide',
    'granted docs.test: the build needs it',
    'the workload was let through',
    'ended with 0',
    'session ended, missing: 0',
  ]);
}

test('sdk-session.ts issues a token, follows its session, grants what it asks for, and ends it', async () => {
  const example = readFileSync(join(root, 'examples/sdk-session.ts'), 'utf8');
  const source = JSON.stringify(join(root, 'src/admin/admin.ts'));
  writeFileSync(file('sdk-session.ts'), example.replace("'upstreamproxy/admin'", source));
  await runExample(process.execPath, ['--disable-warning=ExperimentalWarning', file('sdk-session.ts')]);
});

test('sdk-session.py does the same', { skip: skipWithout('python3') }, async () => {
  env = { ...env, PYTHONPATH: join(root, 'sdk/python/src'), PYTHONDONTWRITEBYTECODE: '1' };
  await runExample('python3', [join(root, 'examples/sdk-session.py')]);
});

test('a session that an orchestrator ends is over before it says so, and one that nobody began leaves no file', async () => {
  await using admin = await open('operator');
  const started = await admin.startSession({
    subject: 'build-18',
    gateway: set.gateway.url,
    gatewayCaFile: set.gatewayCaFile,
    tokenFile: file('token-18'),
  });
  const copy = readFileSync(file('token-18'), 'utf8');
  assert.equal(copy.split('.').length, 3);
  assert.equal(await started.end(), undefined);
  assert.throws(() => readFileSync(file('token-18')), { code: 'ENOENT' });
  // Somebody had read it before.
  writeFileSync(file('copy-18'), copy, { mode: 0o600 });
  const late = { ...env, ...started.env, UPSTREAMPROXY_TOKEN_FILE: file('copy-18') };
  const refused = await runCommand(launcher, ['run', '--', 'true'], { env: late, timeoutMs: 60_000 });
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /was withdrawn before it started a session.*\[session_revoked\]/);

  const again = await admin.startSession({
    subject: 'build-19',
    gateway: set.gateway.url,
    tokenFile: file('token-19'),
  });
  const own = { ...env, ...again.env, UPSTREAMPROXY_GATEWAY_CA: set.gatewayCaFile };
  const run = spawn(launcher, ['run', '--', 'sleep', '600'], { env: own, stdio: 'ignore' });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => endChild(run));
  const session = await again.ready({ timeoutMs: 60_000 });
  assert.deepEqual([session.state, session.claims['sub']], ['committed', 'build-19']);
  const ended = await again.end({ reason: 'a test' });
  assert.deepEqual(
    [ended?.session.state, ended?.session.reason, ended?.confirmation.missing],
    ['revoked', 'a test', []],
  );
});

test('a policy is published on what is published, and rolled back, each confirmed by every gateway', async () => {
  await using admin = await open('administrator');
  const files = (host: string) => [
    { name: 'main.yaml', text: `rules:\n  - { name: one, hosts: ${host} }\n` },
  ];
  const first = await admin.publishPolicy('main', { files: files('a.test'), note: 'a test' });
  const second = await admin.publishPolicy('main', { files: files('b.test') });
  assert.deepEqual([first.version.number, second.version.number, second.confirmation.missing], [1, 2, []]);
  await assert.rejects(admin.publishPolicy('main', { files: files('c.test'), seen: 1 }), {
    code: 'state_changed',
  });
  const back = await admin.rollBackPolicy('main', { to: 1 });
  assert.deepEqual([back.version.number, back.version.backTo], [3, 1]);
  const numbers: number[] = [];
  for await (const { number } of admin.each('policyHistory', { policy: 'main', count: 1 }))
    numbers.push(number);
  assert.deepEqual(numbers, [3, 2, 1]);
});

test('a server whose certificate is of nobody that is trusted gets no token', async () => {
  const other = createTestAuthority();
  await using admin = await openAdmin({ server, tokenFile: file('operator'), ca: other.caPem });
  await assert.rejects(admin.api.who(), { code: 'admin_unreachable', isPassing: false });
});
