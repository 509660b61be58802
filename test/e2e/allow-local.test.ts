// `run --allow-local`: a command in a network of its own reaches the named services of the loopback outside, and no other.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';

import { captureObstacle } from '../support/capture-obstacle.ts';
import { runCommand } from '../support/command.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';

const skip = captureObstacle() || skipWithout('bash');

/** Says back what it is told, and ends when the other side does. */
async function echo(): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

const talk = (port: number): string =>
  `{ exec 3<>/dev/tcp/127.0.0.1/${port} && echo to-${port} >&3 && read -r line <&3 && echo "back $line"; } 2>&1; exec 3>&-`;

test(
  'named services of the loopback are reached, others are not, and the posture says so',
  { skip },
  async () => {
    await using folder = await temporaryDirectory();
    await using named = await echo();
    await using other = await echo();
    const script = `${talk(named.port)}; ${talk(named.port)}; ${talk(other.port)}; cat < /dev/tcp/127.0.0.3/${named.port}; :`;
    const env = { PATH: process.env['PATH'], HOME: folder.path, XDG_STATE_HOME: folder.path };
    const run = (...options: readonly string[]) =>
      runCommand(launcher, ['run', '--posture', ...options, '--', 'bash', '-c', script], { env });
    const { code, stdout, stderr } = await run(`--allow-local=${named.port}`);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.match(new RegExp(`^back to-${named.port}$`, 'gm'))?.length, 2, stdout + stderr);
    assert.ok(!stdout.includes(`back to-${other.port}`), stdout);
    assert.match(stderr, /"networkIsolated": false/);
    assert.match(stderr, new RegExp(`--allow-local ${named.port} is another way out`));
    const without = await run();
    assert.doesNotMatch(without.stdout, /^back/m);
    assert.match(without.stderr, /"networkIsolated": true/);
  },
);

test(
  'a service that does not listen is a broken connection, and a wrong port a wrong command line',
  { skip },
  async () => {
    await using folder = await temporaryDirectory();
    const env = { PATH: process.env['PATH'], HOME: folder.path, XDG_STATE_HOME: folder.path };
    const gone = await echo();
    await gone[Symbol.asyncDispose]();
    const script = `${talk(gone.port)}; echo end`;
    const args = ['run', `--allow-local=${gone.port}`, '--', 'bash', '-c', script];
    const { stdout } = await runCommand(launcher, args, { env });
    assert.match(stdout, /end\n$/);
    assert.doesNotMatch(stdout, /^back/m);
  },
);
