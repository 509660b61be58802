// The environment that `agent` gives, where it cannot be given.

import assert from 'node:assert/strict';
import { spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { FakeGateway } from '../../agent/support/fake-gateway.ts';
import { endChild, launcher, waitForFile, waitUntil } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

/** Starts the agent with that standard output; `temporary` is its folder of temporary files. */
async function startAgent(
  stack: AsyncDisposableStack,
  output: StdioOptions,
  options: (folder: string) => readonly string[] = () => [],
  prepare: (fake: FakeGateway) => void = () => {},
) {
  const fake = stack.use(await FakeGateway.start());
  prepare(fake);
  const folder = stack.use(await temporaryDirectory()).path;
  const [temporary, token, ca] = ['tmp', 'token', 'ca.pem'].map((name) => join(folder, name));
  assert.ok(temporary !== undefined && token !== undefined && ca !== undefined);
  mkdirSync(temporary);
  writeFileSync(token, 'a.b.c', { mode: 0o600 });
  writeFileSync(ca, fake.authority.caPem);
  const session = ['--gateway', fake.url, '--gateway-ca', ca, '--token-file', token];
  const child = spawn(launcher, ['agent', ...session, ...options(folder)], {
    cwd: folder,
    env: { PATH: process.env['PATH'], TMPDIR: temporary },
    stdio: output,
  });
  stack.defer(() => endChild(child));
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return { fake, folder, temporary, child, said: () => said };
}

describe('an agent whose environment', () => {
  test('has no reader any more serves all the same, and takes its files away', async () => {
    await using stack = new AsyncDisposableStack();
    const agent = await startAgent(stack, ['ignore', 'pipe', 'pipe']);
    agent.child.stdout?.destroy();
    await waitUntil('it serves', () => agent.said().includes('relay on'));
    const ended = once(agent.child, 'exit');
    agent.child.kill('SIGTERM');
    assert.deepEqual(await ended, [0, null]);
    assert.deepEqual(readdirSync(agent.temporary), []);
  });

  test('finds no room ends in order, and says so', async () => {
    await using stack = new AsyncDisposableStack();
    const full = openSync('/dev/full', 'w');
    stack.defer(() => closeSync(full));
    const agent = await startAgent(stack, ['ignore', full, 'pipe']);
    assert.deepEqual(await once(agent.child, 'close'), [73, null]);
    assert.match(agent.said(), /the environment cannot be printed: no space is left \[trust_unwritable\]/);
    assert.deepEqual(readdirSync(agent.temporary), []);
    assert.equal(agent.fake.session.state, 'ended');
  });

  test('is written into a file is there while it serves, and at no other time', async () => {
    await using stack = new AsyncDisposableStack();
    let file = '';
    const agent = await startAgent(stack, ['ignore', 'ignore', 'pipe'], (folder) => {
      file = join(folder, 'environment');
      writeFileSync(file, 'of an earlier session\n');
      return ['--env-file', file];
    });
    await waitUntil('it is there', () => existsSync(file) && !readFileSync(file, 'utf8').startsWith('of'));
    assert.match(readFileSync(file, 'utf8'), /https_proxy=/);
    await endChild(agent.child);
    assert.equal(agent.child.exitCode, 0);
    assert.deepEqual(readdirSync(agent.folder).sort(), ['ca.pem', 'tmp']);
  });

  test('names its files by whole paths, also where --state is a relative one', async () => {
    await using stack = new AsyncDisposableStack();
    const options = ['--state', 'state', '--env-file', 'environment', '--format', 'json'];
    const agent = await startAgent(stack, ['ignore', 'ignore', 'pipe'], () => options);
    const text = await waitForFile(join(agent.folder, 'environment'));
    // Written by our own command: names and values.
    const environment = JSON.parse(text) as Readonly<Record<string, string>>;
    const state = join(agent.folder, 'state');
    assert.equal(environment['SSL_CERT_FILE'], join(state, 'ca-bundle.pem'));
    const inside = Object.entries(environment).filter(([, value]) => value.includes('state/'));
    assert.ok(inside.length > 5, text);
    for (const [name, value] of inside)
      assert.equal(value.split('state/').length, value.split(`${state}/`).length, `${name}=${value}`);
    assert.match(readFileSync(join(state, 'ca-bundle.pem'), 'utf8'), /-----BEGIN CERTIFICATE-----/);
  });

  test('is not there while a session that has the file of an earlier one starts', async () => {
    await using stack = new AsyncDisposableStack();
    let file = '';
    const agent = await startAgent(
      stack,
      ['ignore', 'ignore', 'pipe'],
      (folder) => {
        file = join(folder, 'environment');
        writeFileSync(file, 'of an earlier session\n');
        return ['--env-file', file];
      },
      (fake) => fake.failNext('enrol', { kind: 'silence' }),
    );
    await waitUntil('it enrols', () => agent.fake.requests.includes('enrol'));
    assert.equal(existsSync(file), false);
  });

  test('is empty is there for who waits for it, where the proxy may be off', async () => {
    await using stack = new AsyncDisposableStack();
    const agent = await startAgent(
      stack,
      ['ignore', 'ignore', 'pipe'],
      (folder) => ['--on-failure', 'continue', '--env-file', join(folder, 'environment')],
      (fake) => fake.failNext('enrol', { kind: 'refuse', code: 'token_expired' }),
    );
    assert.deepEqual(await once(agent.child, 'close'), [0, null]);
    assert.equal(readFileSync(join(agent.folder, 'environment'), 'utf8'), '');
  });

  test('would be written over a folder, a device or a link is refused before the token is used', async () => {
    for (const make of [mkdirSync, (path: string) => symlinkSync('/dev/stdout', path)]) {
      await using stack = new AsyncDisposableStack();
      const agent = await startAgent(stack, ['ignore', 'ignore', 'pipe'], (folder) => {
        make(join(folder, 'environment'));
        return ['--env-file', join(folder, 'environment')];
      });
      assert.deepEqual(await once(agent.child, 'close'), [64, null]);
      assert.match(agent.said(), /something that is no file is there \[usage\]/);
      assert.deepEqual(readdirSync(agent.folder).sort(), ['ca.pem', 'environment', 'tmp', 'token']);
    }
  });
});
