// The environment that `agent` gives, where it cannot be given.

import assert from 'node:assert/strict';
import { spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { FakeGateway } from '../agent/support/fake-gateway.ts';
import { endChild, launcher, waitUntil } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** Starts the agent with that standard output; `temporary` is its folder of temporary files. */
async function startAgent(
  stack: AsyncDisposableStack,
  output: StdioOptions,
  options: (folder: string) => readonly string[] = () => [],
) {
  const fake = stack.use(await FakeGateway.start());
  const folder = stack.use(await temporaryDirectory()).path;
  const [temporary, token, ca] = ['tmp', 'token', 'ca.pem'].map((name) => join(folder, name));
  assert.ok(temporary !== undefined && token !== undefined && ca !== undefined);
  mkdirSync(temporary);
  writeFileSync(token, 'a.b.c', { mode: 0o600 });
  writeFileSync(ca, fake.authority.caPem);
  const session = ['--gateway', fake.url, '--gateway-ca', ca, '--token-file', token];
  const child = spawn(launcher, ['agent', ...session, ...options(folder)], {
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
    assert.match(agent.said(), /the environment cannot be printed \(ENOSPC\) \[trust_unwritable\]/);
    assert.deepEqual(readdirSync(agent.temporary), []);
    assert.equal(agent.fake.session.state, 'ended');
  });

  test('cannot be written into its file leaves nothing beside it', async () => {
    await using stack = new AsyncDisposableStack();
    // A folder cannot be replaced by a file.
    const agent = await startAgent(stack, ['ignore', 'ignore', 'pipe'], (folder) => {
      mkdirSync(join(folder, 'place/environment'), { recursive: true });
      return ['--env-file', join(folder, 'place/environment')];
    });
    assert.deepEqual(await once(agent.child, 'close'), [73, null]);
    assert.match(agent.said(), /environment cannot be written \(EISDIR\) \[trust_unwritable\]/);
    assert.deepEqual(readdirSync(join(agent.folder, 'place')), ['environment']);
  });
});
