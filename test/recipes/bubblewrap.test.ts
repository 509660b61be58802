// docs/guides/bubblewrap.md: its commands are run, and what is inside tries to get out. Its filter of system calls is taken apart.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { mustRun, runCommand } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { openGuideStage } from '../support/guide-stage.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { findTool, skipWithout } from '../support/tools.ts';
import { listeningPort } from './support/listening-port.ts';

const script = new URL('../../deploy/recipes/bubblewrap/in-bubblewrap.sh', import.meta.url);

async function sandboxObstacle(): Promise<false | string> {
  const missing = skipWithout('bwrap', 'socat', 'base64');
  if (missing !== false) return missing;
  const { code, stderr } = await runCommand('bwrap', ['--unshare-all', '--ro-bind', '/', '/', 'true']);
  return code !== 0 && `bubblewrap cannot make a sandbox here: ${stderr.trim()}`;
}

const obstacle = await sandboxObstacle();

test(
  'the guide to bubblewrap does what it shows',
  {
    skip: obstacle === false ? skipWithout('npm', 'git', 'curl', 'bash') : obstacle,
  },
  async () => {
    await using stage = await openGuideStage();
    await stage.run('docs/guides/bubblewrap.md');
  },
);

/** Prints a line for each way that it tries; it is run outside too, to see that it finds what is there. */
const attempts = (port: number, pid: number): string => `
import ctypes, os, socket
def attempt(name, do):
    try:
        do()
        print(name, 'open')
    except Exception as error:
        print(name, 'closed')
def dial():
    socket.create_connection(('127.0.0.1', ${port}), 5).close()
def ring():
    library = ctypes.CDLL(None, use_errno=True)
    if library.syscall(425, 1, 0) < 0 and ctypes.get_errno() == 38: raise OSError()
attempt('loopback', dial)
attempt('vsock', lambda: socket.socket(40, socket.SOCK_STREAM))
attempt('process', lambda: os.stat('/proc/${pid}/cmdline'))
attempt('routes', lambda: open('/proc/net/route').readlines()[1])
attempt('io_uring', ring)
attempt('internet', lambda: socket.socket(socket.AF_INET))
attempt('unix', lambda: socket.socket(socket.AF_UNIX))
`;

/** An ordinary user, who needs a namespace of users for the sandbox. */
const otherUser = '4242';

describe('in bubblewrap', { skip: obstacle === false ? skipWithout('python3') : obstacle }, () => {
  for (const { name, user } of [
    { name: 'this user', user: undefined },
    { name: 'another user', user: otherUser },
  ]) {
    const skip = user !== undefined && process.getuid?.() !== 0 && 'becoming another user needs root';
    test(
      `${name} finds no way to the loopback outside, to vsock, to io_uring, or to processes; input and exit code pass`,
      {
        skip,
      },
      async () => {
        await using stack = new AsyncDisposableStack();
        const set = stack.use(await deploy({ rules: [] }));
        const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
        stack.defer(() => void server.close());
        await once(server, 'listening');
        const folder = join(set.directory, 'sandbox');
        await mkdir(join(folder, 'relay'), { recursive: true, mode: 0o700 });
        await copyFile(script, join(folder, 'in-bubblewrap.sh'));
        await chmod(join(folder, 'in-bubblewrap.sh'), 0o755);
        await writeFile(join(folder, 'attempts.py'), attempts(listeningPort(server), process.pid));
        const outside = await runCommand('python3', ['attempts.py'], { cwd: folder });
        assert.match(outside.stdout, /^loopback open$/m);
        assert.match(outside.stdout, /^process open$/m);
        const token = await set.issueToken();
        const options = [
          '--isolate=off',
          '--relay-socket',
          join(folder, 'relay/socket'),
          ...set.agentOptions(token),
        ];
        const inside = ['./in-bubblewrap.sh', 'sh', '-c', 'python3 attempts.py; cat; exit 7'];
        const [program = '', ...args] = [
          ...(await asUser(user, set, [folder, token])),
          launcher,
          'run',
          ...options,
          '--',
          ...inside,
        ];
        const { code, stdout, stderr } = await runCommand(program, args, {
          cwd: folder,
          input: 'said to it\n',
        });
        assert.deepEqual(
          stdout.trimEnd().split('\n'),
          [
            'loopback closed',
            'vsock closed',
            'process closed',
            'routes closed',
            'io_uring closed',
            'internet open',
            'unix open',
            'said to it',
          ],
          stderr,
        );
        assert.equal(code, 7, stderr);
      },
    );
  }

  test('in the home, or in a folder above it, it starts nothing', async () => {
    await using home = await temporaryDirectory();
    const env = {
      ...process.env,
      HOME: join(home.path, 'user'),
      PWD: '',
      UPSTREAMPROXY_RELAY_SOCKET: '/nonexistent',
    };
    await mkdir(env.HOME);
    const link = join(home.path, 'link');
    await symlink(env.HOME, link);
    for (const [cwd, name] of [
      [env.HOME, env.HOME],
      [home.path, home.path],
      ['/', '/'],
      [link, link],
      // A shell keeps the name by which it came into the folder.
      [env.HOME, link],
    ] as const) {
      env.PWD = name;
      const { code, stdout, stderr } = await runCommand('sh', [script.pathname, 'echo', 'started'], {
        cwd,
        env,
      });
      assert.deepEqual([code, stdout], [1, ''], name);
      assert.match(stderr, /the command would see all of /);
    }
    // The home itself can be a name of another folder.
    const { code, stderr } = await runCommand('sh', [script.pathname, 'echo', 'started'], {
      cwd: env.HOME,
      env: { ...env, HOME: link },
    });
    assert.equal(code, 1);
    assert.match(stderr, /the command would see all of /);
  });

  test('without the socket of a relay it starts nothing', async () => {
    const { code, stdout, stderr } = await runCommand('sh', [script.pathname, 'echo', 'started']);
    assert.notEqual(code, 0);
    assert.equal(stdout, '');
    assert.match(stderr, /start it by: upstreamproxy run --isolate=off --relay-socket/);
  });
});

/** What starts a command as that user, to whom `paths` are given. */
async function asUser(
  user: string | undefined,
  { directory }: Deployment,
  paths: readonly string[],
): Promise<readonly string[]> {
  if (user === undefined) return [];
  await chmod(directory, 0o711);
  await mustRun('chown', ['-R', `${user}:${user}`, ...paths]);
  return [findTool('setpriv') ?? 'setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--'];
}

const [allow, noFamily, noSuchCall, kill] = [0x7fff0000, 0x50061, 0x50026, 0x80000000];
const [x64, arm64, x86] = [0xc000003e, 0xc00000b7, 0x40000003];

/** The instructions of classic BPF that the filter has (linux/filter.h), by hand. */
function verdict(filter: Buffer, call: { arch: number; number: number; family?: number }): number {
  const data: Readonly<Record<number, number>> = { 0: call.number, 4: call.arch, 16: call.family ?? 0 };
  let value = 0;
  for (let at = 0; at < filter.length / 8; at += 1) {
    const code = filter.readUInt16LE(at * 8);
    const [whenTrue, whenFalse] = [filter.readUInt8(at * 8 + 2), filter.readUInt8(at * 8 + 3)];
    const constant = filter.readUInt32LE(at * 8 + 4);
    if (code === 0x06) return constant;
    if (code === 0x20) value = data[constant] ?? Number.NaN;
    else at += (code === 0x15 ? value === constant : value >= constant) ? whenTrue : whenFalse;
    assert.ok([0x20, 0x15, 0x35].includes(code), `instruction ${code}`);
  }
  throw new Error('the filter has no end');
}

test('its filter allows sockets of four families and no io_uring, on x64 and arm64, and ends calls of others', () => {
  const [, encoded = ''] = /^filter=(\S+)$/m.exec(readFileSync(script, 'utf8')) ?? [];
  const filter = Buffer.from(encoded, 'base64');
  assert.equal(filter.length % 8, 0);
  for (const [arch, socket] of [
    [x64, 41],
    [arm64, 198],
  ] as const) {
    for (let family = 0; family < 64; family += 1)
      assert.equal(
        verdict(filter, { arch, number: socket, family }),
        [1, 2, 10, 16].includes(family) ? allow : noFamily,
        `${family}`,
      );
    assert.equal(verdict(filter, { arch, number: 425 }), noSuchCall);
    for (const number of [0, 1, 59, 221, 424, 426, 463])
      assert.equal(verdict(filter, { arch, number }), allow);
  }
  // What x64 takes for socket(2) is another call on arm64, and the other way round.
  assert.equal(verdict(filter, { arch: x64, number: 198, family: 40 }), allow);
  assert.equal(verdict(filter, { arch: arm64, number: 41, family: 40 }), allow);
  // The other numbers of x64 (x32), and programs of 32 bits.
  assert.equal(verdict(filter, { arch: x64, number: 0x40000029, family: 40 }), kill);
  assert.equal(verdict(filter, { arch: x86, number: 359, family: 40 }), kill);
});
