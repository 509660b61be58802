// `upstreamproxy run` as a user starts it: real processes, a real curl.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

import { descendantsOf } from '../../src/agent/kernel/process-table.ts';
import { stringify } from 'yaml';

import { canary, findCanary } from '../support/canary.ts';
import { runCommand } from '../support/command.ts';
import { deploy } from '../support/deployment.ts';
import { httpOrigin, httpsOrigin, type Origin } from '../support/origin.ts';
import { isRunning, launcher, waitForFile, waitUntil } from '../support/program.ts';
import { temporaryDirectory, withTemporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority, type TestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';

const skip = skipWithout('curl');

interface Embedded extends AsyncDisposable {
  readonly origin: Origin;
  readonly config: string;
  readonly env: NodeJS.ProcessEnv;
  readonly directory: string;
}

/** An origin, and a configuration for `run --config` that allows `/hello`, `/auth` and `/reflect` of it. */
async function embedded(secret: string, authority: TestAuthority = createTestAuthority()): Promise<Embedded> {
  await using stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(await temporaryDirectory());
  const origin = stack.use(await httpsOrigin({ authority, expectedAuthorization: `Bearer ${secret}` }));
  await writeFile(join(directory, 'ca.pem'), authority.caPem);
  const own = { hosts: ['api.test'], ports: [origin.port], addresses: ['127.0.0.1/32'] };
  const rules = [
    { name: 'hello', ...own, methods: ['GET'], paths: ['/hello'] },
    { name: 'api', ...own, methods: ['GET'], paths: ['/auth', '/reflect'], inject: ['api'] },
  ];
  await writeFile(join(directory, 'policy.yaml'), stringify({ rules }, { aliasDuplicateObjects: false }));
  const config = join(directory, 'gateway.yaml');
  await writeFile(
    config,
    stringify({
      policy: 'policy.yaml',
      credentials: {
        api: { kind: 'bearer', source: { env: 'API_SECRET' }, placeholder: { env: 'API_TOKEN' } },
      },
      upstream: { ca: 'ca.pem', hosts: { 'api.test': '127.0.0.1' } },
    }),
  );
  const owned = stack.move();
  return {
    origin,
    config,
    directory,
    env: { ...process.env, XDG_STATE_HOME: directory, API_SECRET: secret },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

for (const runtime of ['node', 'bun']) {
  test(
    `a command gets an allowed response with an injected credential that it never sees (${runtime})`,
    { skip },
    async () => {
      const secret = canary('api');
      await using setUp = await embedded(secret);
      const { origin, config } = setUp;
      const env = { ...setUp.env, UPSTREAMPROXY_RUNTIME: runtime };
      const script = `curl -sS -w '%{http_code}\\n' ${origin.url('api.test', '/auth')} ${origin.url('api.test', '/reflect')}; echo "$API_TOKEN"`;
      const result = await runCommand(launcher, ['run', '--config', config, '--', 'sh', '-c', script], {
        env,
      });
      assert.equal(result.code, 0, result.stderr);
      assert.match(result.stdout, /\{"authorized":true\}\n200\n/);
      assert.equal(origin.requests[0]?.headers.authorization, `Bearer ${secret}`);
      const [, placeholder] = /\n([^\n]+)\n$/.exec(result.stdout) ?? [];
      assert.ok(placeholder !== undefined && placeholder.length > 5, result.stdout);
      assert.deepEqual(findCanary(result.stdout + result.stderr, secret), []);
    },
  );
}

test(
  'a request that no rule allows gets a response 403 inside TLS, and the origin never hears of it',
  { skip },
  async () => {
    await using setUp = await embedded(canary());
    const { origin, config, env } = setUp;
    const url = origin.url('api.test', '/secret');
    const args = ['run', '--config', config, '--', 'curl', '-sS', '-w', '\n%{http_code}', url];
    const { code, stdout } = await runCommand(launcher, args, { env });
    assert.equal(code, 0);
    assert.match(stdout, /\n403$/);
    assert.match(stdout, /rule: default-deny/);
    assert.ok(stdout.includes(`GET ${url}`));
    assert.equal(origin.connections(), 0);
  },
);

test(
  'without a policy the run is observed: private destinations are refused, and it is said what was contacted',
  { skip },
  async () => {
    await using origin = await httpOrigin();
    await withTemporaryDirectory(async (directory) => {
      const env = { ...process.env, XDG_STATE_HOME: directory };
      const url = origin.url('127.0.0.1', '/hello');
      const script = `curl -sS --noproxy '' -x "$http_proxy" -o /dev/null -w '%{http_code}' ${url}`;
      const { code, stdout, stderr } = await runCommand(launcher, ['run', '--', 'sh', '-c', script], { env });
      assert.equal(code, 0, stderr);
      assert.equal(stdout, '403');
      assert.equal(origin.connections(), 0);
      assert.match(stderr, /no policy was given, so this run was observed/);
      assert.match(stderr, /http:\/\/127\.0\.0\.1:[0-9]+ +GET +1 refused/);
      const [, learn] = /(upstreamproxy policy learn \S+)/.exec(stderr) ?? [];
      const learnt = await runCommand(launcher, (learn ?? '').split(' ').slice(1), { env });
      assert.equal(learnt.code, 0, learnt.stderr);
    });
  },
);

test('nothing is left of a run but its audit, in folders that are closed to others', { skip }, async () => {
  await using setUp = await embedded(canary());
  const { origin, config, env, directory } = setUp;
  const args = ['run', '--config', config, '--', 'curl', '-sS', origin.url('api.test', '/hello')];
  const { code, stdout } = await runCommand(launcher, args, { env });
  assert.deepEqual([code, stdout], [0, 'hello\n']);
  const runs = join(directory, 'upstreamproxy', 'runs');
  const [run = ''] = await readdir(runs);
  const names = await readdir(join(runs, run));
  assert.ok(names.includes('audit.jsonl') && names.includes('state.db'), names.join());
  assert.deepEqual(
    names.filter((name) => !/^(?:audit\.jsonl|state\.db.*|gateway\.log)$/.test(name)),
    [],
  );
  assert.equal((await stat(join(runs, run))).mode & 0o777, 0o700);
  for (const name of names) assert.equal((await stat(join(runs, run, name))).mode & 0o077, 0, name);
  const events = (await readFile(join(runs, run, 'audit.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events
      .filter(({ kind }) => kind === 'exchange')
      .map(({ verdict, method, host, path, status, rule }) => ({
        verdict,
        method,
        host,
        path,
        status,
        rule,
      })),
    [{ verdict: 'allow', method: 'GET', host: 'api.test', path: '/hello', status: 200, rule: 'hello' }],
  );
});

test('the exit code is the command’s, and a signal reaches it', { skip }, async () => {
  await using setUp = await embedded(canary());
  const { config, env } = setUp;
  const common = ['run', '--config', config, '--'];
  assert.equal((await runCommand(launcher, [...common, 'sh', '-c', 'exit 42'], { env })).code, 42);
  assert.equal((await runCommand(launcher, [...common, 'no-such-program'], { env })).code, 127);
  const script = `trap 'echo ended; exit 5' TERM; echo ready; while :; do sleep 0.05; done`;
  const child = spawn(launcher, [...common, 'sh', '-c', script], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line === 'ready') child.kill('SIGTERM');
  }
  assert.deepEqual(lines, ['ready', 'ended']);
  assert.deepEqual(await ended, [5, null]);
});

test('an audit that cannot be read costs a line, and not the exit code of the command', async () => {
  await withTemporaryDirectory(async (directory) => {
    const env = { ...process.env, XDG_STATE_HOME: directory };
    const script = `printf 'torn\\ntorn\\n' | tee -a ${directory}/upstreamproxy/runs/*/audit.jsonl; exit 42`;
    const result = await runCommand(launcher, ['run', '--isolate=off', '--', 'sh', '-c', script], { env });
    assert.equal(result.code, 42, result.stderr);
    assert.match(result.stderr, /^upstreamproxy: [^\n]*audit\.jsonl:[0-9]+ is not an audit event[^\n]*\n$/m);
  });
});

test('the embedded gateway ends when the agent is killed, and takes its keys with it', { skip }, async () => {
  await using setUp = await embedded(canary());
  const { config, env, directory } = setUp;
  const args = ['run', '--config', config, '--', 'sh', '-c', 'echo > started; exec sleep 300'];
  const child = spawn(launcher, args, { env, cwd: directory, stdio: 'ignore' });
  const ended = once(child, 'exit');
  await waitForFile(join(directory, 'started'));
  // By their numbers outside; inside they have others.
  const all = descendantsOf(child.pid ?? 0);
  try {
    const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
    const pids = children.trim().split(' ').map(Number);
    // A helper of the jail may be gone by now.
    const lineOf = (pid: number): Promise<string> =>
      readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => 'gone');
    const lines = await Promise.all(pids.map(lineOf));
    const gateway = pids[lines.findIndex((text) => text.includes('embedded-gateway'))];
    assert.ok(gateway !== undefined, lines.join('; '));
    child.kill('SIGKILL');
    await ended;
    await waitUntil('the gateway ends', () => !isRunning(gateway));
    const [run = ''] = await readdir(join(directory, 'upstreamproxy', 'runs'));
    const left = await readdir(join(directory, 'upstreamproxy', 'runs', run));
    assert.deepEqual(
      left.filter((name) => !/^(?:audit\.jsonl|state\.db.*|gateway\.log)$/.test(name)),
      [],
    );
  } finally {
    child.kill('SIGKILL');
    // What `run` was killed over goes on by itself where no namespace ends it.
    for (const pid of all) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  }
});

test(
  'with a gateway outside the token file is used up, and a second use is refused and raises an alarm',
  { skip },
  async () => {
    const authority = createTestAuthority();
    await using origin = await httpsOrigin({ authority });
    const rule = { name: 'hello', hosts: ['api.test'], ports: [origin.port], addresses: ['127.0.0.1/32'] };
    await using set = await deploy({ rules: [rule], hosts: { 'api.test': '127.0.0.1' }, authority });
    const tokenFile = await set.issueToken();
    const token = await readFile(tokenFile);
    const args = (file: string): string[] => [
      'run',
      ...set.agentOptions(file),
      '--',
      'curl',
      '-sS',
      origin.url('api.test', '/hello'),
    ];
    const first = await runCommand(launcher, args(tokenFile));
    assert.deepEqual([first.code, first.stdout], [0, 'hello\n']);
    assert.match(
      first.stderr,
      /^upstreamproxy: the session stands; the gateway https:[^\n]+\n(?:upstreamproxy: secrets of the home: [^\n]+\n)?$/,
    );
    assert.ok(!existsSync(tokenFile));
    const again = join(set.directory, 'again');
    await writeFile(again, token, { mode: 0o600 });
    const second = await runCommand(launcher, args(again));
    assert.equal(second.code, 77);
    assert.match(second.stderr, /^upstreamproxy: [^\n]+\[token_reused\]\n$/);
    assert.equal(second.stdout, '');
    const events = await set.audit();
    assert.equal(events.filter(({ kind }) => kind === 'alarm').length, 1);
  },
);

test('the agent serves commands that others start, and drains at SIGTERM', { skip }, async () => {
  const authority = createTestAuthority();
  await using origin = await httpsOrigin({ authority });
  const rule = { name: 'hello', hosts: ['api.test'], ports: [origin.port], addresses: ['127.0.0.1/32'] };
  await using set = await deploy({ rules: [rule], hosts: { 'api.test': '127.0.0.1' }, authority });
  await using agent = await set.startAgent();
  const env = { PATH: process.env['PATH'], ...agent.env };
  const response = await runCommand('curl', ['-sS', origin.url('api.test', '/hello')], { env });
  assert.deepEqual([response.code, response.stdout], [0, 'hello\n']);
  assert.equal(await agent.close(), 0);
  const refused = await runCommand('curl', ['-sS', origin.url('api.test', '/hello')], { env });
  assert.equal(refused.code, 7);
});
