// A `run` that is interrupted before its command starts, and after it ended: nothing stays, and who waits learns the truth.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';

import { FakeGateway } from '../agent/support/fake-gateway.ts';
import { launcher, waitUntil } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

interface Start extends AsyncDisposable {
  readonly fake: FakeGateway;
  readonly child: ReturnType<typeof spawn>;
  readonly tokenFile: string;
  /** What is in the folders of temporary files and of HOME. */
  left(): readonly string[];
  /** Code and signal of the end, and what was said before it. */
  readonly ended: Promise<{ readonly code: unknown; readonly signal: unknown; readonly said: string }>;
}

/** Starts `run` against a gateway that does not respond with `request`, and waits until it is made. */
async function start(
  request: 'enrol' | 'end' | 'nothing',
  options: readonly string[],
  command: string,
): Promise<Start> {
  await using stack = new AsyncDisposableStack();
  const fake = stack.use(await FakeGateway.start());
  if (request !== 'nothing') fake.failNext(request, { kind: 'silence' });
  const { path } = stack.use(await temporaryDirectory());
  const folders = ['tmp', 'home'].map((name) => join(path, name));
  for (const folder of folders) mkdirSync(folder);
  const [TMPDIR = '', HOME = ''] = folders;
  const [tokenFile, caFile] = [join(path, 'token'), join(path, 'ca.pem')];
  writeFileSync(tokenFile, 'a.b.c', { mode: 0o600 });
  writeFileSync(caFile, fake.authority.caPem);
  const gateway = ['--gateway', fake.url, '--gateway-ca', caFile, '--token-file', tokenFile];
  const args = ['run', '--quiet', ...gateway, ...options, '--', 'sh', '-c', command];
  const env = { PATH: process.env['PATH'], HOME, TMPDIR };
  const child = spawn(launcher, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  stack.defer(() => void child.kill('SIGKILL'));
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
    ([[code, signal], out, said]) => ({ code, signal, said: out + said }),
  );
  if (request !== 'nothing')
    await waitUntil(`the gateway is asked to ${request}`, () => fake.requests.includes(request));
  const owned = stack.move();
  return {
    fake,
    child,
    tokenFile,
    ended,
    left: () => [...readdirSync(TMPDIR), ...readdirSync(HOME)],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function hasHelper(pid = 0): boolean {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return children.some((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('=jail-helper'));
  } catch {
    // One of them is gone already.
    return false;
  }
}

describe('a run that is interrupted', () => {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    test(`before its command by ${name} ends by it, takes its files away, and starts nothing`, async () => {
      await using run = await start('enrol', ['--on-failure', 'continue'], 'echo started');
      await waitUntil('the folder of the session is there', () => run.left().length > 0);
      run.child.kill(name);
      assert.deepEqual(await run.ended, { code: null, signal: name, said: '' });
      assert.deepEqual(run.left(), []);
      assert.ok(existsSync(run.tokenFile), 'a start that was given up leaves the token');
    });
  }

  test('with the helper of its jail, as by a key of the terminal, says nothing of a jail', async () => {
    await using run = await start('nothing', [], 'echo started');
    await waitUntil('the helper starts', () => hasHelper(run.child.pid));
    // The group: what it has started gets the signal too.
    process.kill(-(run.child.pid ?? assert.fail('it does not run')), 'SIGINT');
    assert.deepEqual(await run.ended, { code: null, signal: 'SIGINT', said: '' });
    assert.deepEqual(run.left(), []);
  });

  test('twice ends at once', async () => {
    await using run = await start('end', [], 'true');
    run.child.kill('SIGINT');
    run.child.kill('SIGTERM');
    const { code } = await run.ended;
    assert.ok(code === 130 || code === 143);
  });

  test('after its command gives the code of the command all the same', async () => {
    await using run = await start('end', [], 'exit 7');
    run.child.kill('SIGINT');
    assert.deepEqual(await run.ended, { code: 7, signal: null, said: '' });
    assert.deepEqual(run.left(), []);
  });
});
