// `run --on-failure=continue` without a session: whose network the command has.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { captureObstacle } from '../support/capture-obstacle.ts';
import { type CommandResult, runCommand } from '../support/command.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';

describe('a command that goes on without the proxy', { skip: captureObstacle() }, () => {
  const server = createServer((socket) => socket.on('error', () => undefined).end('reached\n'));
  let directory: TemporaryDirectory;
  before(async () => {
    directory = await temporaryDirectory();
    await writeFile(join(directory.path, 'token'), 'header.payload.signature', { mode: 0o600 });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    server.close();
    await directory[Symbol.asyncDispose]();
  });

  /** A command that reads what a server of its caller's loopback says. */
  async function run(...options: readonly string[]): Promise<CommandResult> {
    const { port } = server.address() as AddressInfo;
    const gateway = ['--gateway', 'https://127.0.0.1:1', '--token-file', join(directory.path, 'token')];
    const command = `cat </dev/tcp/127.0.0.1/${port} || echo no way`;
    const args = ['run', ...gateway, '--on-failure=continue', ...options, '--', 'bash', '-c', command];
    return await runCommand(launcher, args, { env: { ...process.env, XDG_STATE_HOME: directory.path } });
  }

  test('has its caller’s network again, in what else there is of the jail', async () => {
    for (const options of [[], ['--isolate=off'], ['--jail-layers', 'network']]) {
      const { code, stdout, stderr } = await run(...options);
      assert.deepEqual([code, stdout], [0, 'reached\n'], stderr);
      assert.match(stderr, /running without the proxy: .* \[gateway_unreachable\]\n$/);
    }
  });

  test('has none where a network of its own was asked for by name, and that is said', async () => {
    for (const options of [['--isolate=require'], ['--capture-only']]) {
      const { stdout, stderr } = await run(...options);
      assert.equal(stdout, 'no way\n', stderr);
      assert.match(stderr, /running without the proxy, and so without a network: /);
    }
  });

  test('is in the jail still', async () => {
    const gateway = ['--gateway', 'https://127.0.0.1:1', '--token-file', join(directory.path, 'token')];
    const words = ['run', ...gateway, '--on-failure=continue', '--', 'sh', '-c'];
    const status = 'grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status';
    const { stdout, stderr } = await runCommand(launcher, [...words, status]);
    assert.match(stdout, /^NoNewPrivs:\s+1\nSeccomp:\s+2\n$/, stderr);
  });
});
