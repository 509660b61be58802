// A container that has nothing but the single file of the agent, the libraries that it names, and curl as the workload: from nothing to a first allowed
// and a first denied request. Part of `npm run test:release`.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { buildSingleFile } from '../../scripts/release/single-file.ts';
import { mustRun, runCommand } from '../support/command.ts';
import { deploy } from '../support/deployment.ts';
import { stageObstacle } from '../support/image-stage.ts';
import { httpsOrigin } from '../support/origin.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { findTool, skipWithout } from '../support/tools.ts';

const skip = skipWithout('curl', 'ldd', 'unshare', 'chroot') || stageObstacle();
const user = 10_001;

/** The loader and the libraries of a program, at their places in `container`. */
function copyLibraries(program: string, container: string): void {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' });
  const files = [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, file = '']) => file);
  assert.ok(files.length > 3, stdout);
  for (const file of files) {
    mkdirSync(join(container, dirname(file)), { recursive: true });
    copyFileSync(realpathSync(file), join(container, file));
  }
}

test(
  'in a container with the single file alone a command has its first session and its first denial',
  { skip, timeout: 300_000 },
  async (t) => {
    await withTemporaryDirectory(async (directory) => {
      const authority = createTestAuthority();
      await using origin = await httpsOrigin({ authority });
      const rule = {
        name: 'hello',
        hosts: ['api.test'],
        ports: origin.port,
        paths: '/hello',
        addresses: '127.0.0.1/32',
      };
      await using set = await deploy({ rules: [rule], hosts: { 'api.test': '127.0.0.1' }, authority });
      const container = join(directory, 'container');
      for (const folder of ['bin', 'tmp', 'etc', 'proc', 'dev', 'work'])
        mkdirSync(join(container, folder), { recursive: true });
      chmodSync(directory, 0o755);
      chmodSync(container, 0o755);
      chmodSync(join(container, 'tmp'), 0o1777);
      const agent = join(container, 'bin/upstreamproxy-agent');
      buildSingleFile({ program: 'agent', out: agent, node: process.execPath, start: [process.execPath] });
      chmodSync(agent, 0o711);
      copyLibraries(agent, container);
      const curl = findTool('curl') ?? '';
      copyFileSync(realpathSync(curl), join(container, 'bin/curl'));
      copyLibraries(curl, container);
      copyFileSync(set.gatewayCaFile, join(container, 'etc/gateway-ca.pem'));
      writeFileSync(join(container, 'etc/passwd'), `work:x:${user}:${user}::/work:/none\n`);
      chownSync(join(container, 'work'), user, user);

      const mounts = `mount -t proc proc ${container}/proc && mount --rbind /dev ${container}/dev`;
      const start = `${mounts} && exec chroot --userspec=${user}:${user} ${container} "$@"`;
      const run = async (path: string): Promise<string> => {
        const token = join(container, 'work/token');
        copyFileSync(await set.issueToken(), token);
        chmodSync(token, 0o600);
        chownSync(token, user, user);
        const options = [
          '--gateway',
          set.gateway.url,
          '--gateway-ca',
          '/etc/gateway-ca.pem',
          '--token-file',
          '/work/token',
        ];
        const words = [
          '/bin/upstreamproxy-agent',
          'run',
          '--isolate',
          'off',
          ...options,
          '--',
          '/bin/curl',
          '-sS',
          origin.url('api.test', path),
        ];
        const { code, stdout, stderr } = await runCommand(
          'unshare',
          ['-m', '--propagation', 'private', 'sh', '-ec', start, 'sh', ...words],
          {
            env: { PATH: process.env['PATH'], HOME: '/work' },
          },
        );
        assert.equal(code, 0, stderr);
        return stdout;
      };
      const startedMs = performance.now();
      assert.equal(await run('/hello'), 'hello\n');
      assert.match(await run('/other'), /^reason: policy_denied$/m);
      t.diagnostic(
        `two sessions, one request each: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`,
      );
      // There is no other program in it.
      assert.equal(
        (await mustRun('find', [join(container, 'bin'), '-type', 'f'])).trim().split('\n').length,
        2,
      );
    });
  },
);
