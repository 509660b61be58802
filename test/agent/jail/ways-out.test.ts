// Interfaces, routes and descriptors as the kernel shows them, in the network of this process and in an empty one.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { captureObstacle } from '../../support/capture-obstacle.ts';

const source = fileURLToPath(new URL('../../../src', import.meta.url));
const bin = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));
const isRoot = process.geteuid?.() === 0;
const inNetwork = ['unshare', ...(isRoot ? [] : ['--user', '--map-root-user']), '--net', 'sh', '-c'];

/** What the module tells, in a network that a script of the shell makes first. */
function seen(before: string, expression: string, redirect = ''): unknown {
  const program = `
    const { openSystemCalls } = await import(${JSON.stringify(join(source, 'system/ffi.ts'))});
    const { systemCallNumbers } = await import(${JSON.stringify(join(source, 'system/system-call-numbers.ts'))});
    const ways = await import(${JSON.stringify(join(source, 'agent/jail/ways-out.ts'))});
    const kernel = { calls: openSystemCalls(), numbers: systemCallNumbers() };
    process.stderr.write(JSON.stringify(${expression}));`;
  const script = `${before}; exec "$@" ${redirect}`;
  const node = [
    join(bin, 'node'),
    '--disable-warning=ExperimentalWarning',
    '--input-type=module',
    '-e',
    program,
  ];
  const [file = '', ...args] = [...inNetwork, script, 'sh', ...node];
  const { status, stderr } = spawnSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
  assert.equal(status, 0, stderr);
  return JSON.parse(stderr);
}

const hasIp = spawnSync('ip', ['-V']).status === 0;
const skip = captureObstacle() || (!hasIp && 'there is no ip(8)');

describe('ways out of a network', { skip }, () => {
  test('a network with loopback alone has none', () => {
    assert.deepEqual(seen('ip link set lo up', 'ways.networkWays(kernel)'), []);
  });

  test('an interface that is up, and a route over it, are told', () => {
    const up =
      'ip link add veth7 type veth peer name veth8 && ip link set veth7 up && ip address add 10.9.8.7/24 dev veth7';
    const ways = seen(up, 'ways.networkWays(kernel)') as readonly string[];
    assert.ok(ways.includes('interface veth7'), ways.join());
    assert.ok(
      ways.some((way) => way.startsWith('a route by')),
      ways.join(),
    );
    // The other end is down.
    assert.ok(!ways.includes('interface veth8'));
  });

  test('a descriptor beyond the standard streams is told where the next program would have it', () => {
    const told = 'ways.inheritedDescriptors(kernel)';
    // F_DUPFD, and the same to be closed at exec.
    for (const [command, isTold] of [
      [0, true],
      [1030, false],
    ] as const) {
      const make = `kernel.calls.call(kernel.numbers.fcntl, 0, ${command}, 200)`;
      const found = seen(':', `(${make}, ${told})`) as readonly number[];
      assert.equal(found.includes(200), isTold, found.join());
    }
  });

  test('of the standard streams, files and pipes lead nowhere', () => {
    assert.deepEqual(seen(':', 'ways.streamWays(kernel)', '</etc/passwd | cat'), []);
  });
});
