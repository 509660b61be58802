// bin/upstreamproxy: the runtime that it finds, and what it takes out of the environment.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { runCommand } from '../support/command.ts';
import { sourceLauncher as launcher } from '../support/program.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

const systemPath = '/usr/bin:/bin';

/** A package with a launcher, where `main.js` is a stand-in, and a `node` on PATH that says its version. */
async function packageWith(directory: string, version: string): Promise<{ bin: string; path: string }> {
  const root = join(directory, 'package');
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(root, 'dist', 'cli'), { recursive: true });
  await mkdir(join(directory, 'tools'));
  await writeFile(join(root, 'dist', 'cli', 'main.js'), '');
  await writeFile(join(root, 'bin', 'upstreamproxy'), await readFile(launcher));
  await chmod(join(root, 'bin', 'upstreamproxy'), 0o755);
  // Prints its version, or what it was started with.
  const node = `#!/bin/sh\nif [ "$*" = --version ]; then echo ${version}; else echo "$@"; env; fi\n`;
  await writeFile(join(directory, 'tools', 'node'), node);
  await chmod(join(directory, 'tools', 'node'), 0o755);
  return { bin: join(root, 'bin', 'upstreamproxy'), path: `${join(directory, 'tools')}:${systemPath}` };
}

test('a Node that is too old is refused with what to do', async () => {
  await withTemporaryDirectory(async (directory) => {
    const { bin, path } = await packageWith(directory, 'v20.20.2');
    const { code, stderr } = await runCommand(bin, ['version'], { env: { PATH: path } });
    assert.equal(code, 78);
    assert.match(
      stderr,
      /^upstreamproxy: Node\.js 26 or newer is needed, .* is v20\.20\.2; .*\[config_invalid\]\n$/,
    );
  });
});

test('without any Node it is said in one line', async () => {
  await withTemporaryDirectory(async (directory) => {
    const { bin } = await packageWith(directory, 'v26.0.0');
    // A PATH with the tools that the launcher needs and nothing else.
    await mkdir(join(directory, 'few'));
    for (const tool of ['dirname', 'readlink', 'sh']) {
      await symlink(`/usr/bin/${tool}`, join(directory, 'few', tool));
    }
    const { code, stderr } = await runCommand('/bin/sh', [bin], { env: { PATH: join(directory, 'few') } });
    assert.equal(code, 78);
    assert.match(stderr, /^upstreamproxy: Node\.js is not on PATH[^\n]*\n$/);
  });
});

test('the program runs with the inspector signal off, through links, and with its arguments untouched', async () => {
  await withTemporaryDirectory(async (directory) => {
    const { bin, path } = await packageWith(directory, 'v26.1.0');
    await symlink(bin, join(directory, 'absolute'));
    await symlink('package/bin/upstreamproxy', join(directory, 'relative'));
    for (const name of ['absolute', 'relative']) {
      const { stdout } = await runCommand(join(directory, name), ['run', '--', 'a b'], {
        env: { PATH: path },
      });
      const [line] = stdout.split('\n');
      assert.equal(
        line,
        `--disable-sigusr1 --disable-warning=ExperimentalWarning ${directory}/package/dist/cli/main.js =run =-- =a b`,
      );
    }
  });
});

test('what could steer the process is taken out and kept for the workload, whatever its value', async () => {
  await withTemporaryDirectory(async (directory) => {
    const { bin, path } = await packageWith(directory, 'v26.1.0');
    const awkward = `--require=/x y'"$(id)\`id\` \\ ;`;
    const dangerous = {
      NODE_OPTIONS: awkward,
      NODE_EXTRA_CA_CERTS: '/evil.pem',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
      SSL_CERT_FILE: '',
      https_proxy: 'http://evil.test:1',
      BUN_OPTIONS: '--preload=/x',
      BUN_INSPECT_PRELOAD: '/x',
    };
    const { stdout } = await runCommand(bin, [], { env: { PATH: path, HOME: '/h', ...dangerous } });
    const lines = stdout.split('\n');
    assert.ok(lines.includes('HOME=/h'));
    for (const [name, value] of Object.entries(dangerous)) {
      assert.ok(!lines.some((line) => line.startsWith(`${name}=`)), name);
      assert.ok(lines.includes(`UPSTREAMPROXY_WORKLOAD_${name}=${value}`), name);
    }
  });
});

for (const runtime of ['node', 'bun']) {
  test(`an option of the runtime in the arguments of the workload is not taken by our process (${runtime})`, async () => {
    await withTemporaryDirectory(async (directory) => {
      const code = `require('node:fs').writeFileSync(${JSON.stringify(join(directory, 'ran'))}, '')`;
      await writeFile(join(directory, 'evil.cjs'), code);
      const evil = join(directory, 'evil.cjs');
      await writeFile(join(directory, 'evil.env'), `NODE_OPTIONS=--require=${evil}\n`);
      await writeFile(join(directory, 'evil.json'), JSON.stringify({ nodeOptions: { require: [evil] } }));
      await writeFile(join(directory, 'bunfig.toml'), `preload = [${JSON.stringify(evil)}]\n`);
      await writeFile(join(directory, '.env'), `NODE_OPTIONS=--require=${evil}\n`);
      for (const option of [
        `--env-file=${directory}/evil.env`,
        `--experimental-config-file=${directory}/evil.json`,
        `--require=${evil}`,
        `--preload=${evil}`,
      ]) {
        const result = await runCommand(launcher, ['help', '--', option], {
          cwd: directory,
          env: { PATH: process.env['PATH'], UPSTREAMPROXY_RUNTIME: runtime },
        });
        assert.match(`${result.stdout}${result.stderr}`, /there is no command "--"/, option);
        assert.ok(!existsSync(join(directory, 'ran')), `${option} ran code in our process`);
      }
    });
  });
}

for (const runtime of ['node', 'bun']) {
  test(`a checkout runs the source as it is, with every process that it starts (${runtime})`, async () => {
    await withTemporaryDirectory(async (directory) => {
      const env = { PATH: process.env['PATH'], HOME: directory, UPSTREAMPROXY_RUNTIME: runtime };
      const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
      // All processes, of which those with this folder in their arguments are ours.
      const programs = 'for one in /proc/[0-9]*/cmdline; do tr "\\0" " " <$one; echo; done 2>/dev/null';
      const run = ['run', '-q', '--isolate=off', '--', 'sh', '-c', programs, directory];
      const { code, stdout, stderr } = await runCommand(launcher, run, { env, cwd: directory });
      assert.equal(code, 0, stderr);
      const own = stdout.split('\n').filter((line) => line.includes(directory));
      const started = (of: string, command: string): boolean =>
        own.some((line) => line.includes(`/${of} `) && line.includes(` ${main} =${command} `));
      assert.ok(started(runtime, 'run'), own.join('\n'));
      // The gateway of a run stays under Node.
      assert.ok(started('node', 'embedded-gateway'), own.join('\n'));
    });
  });
}

test('a runtime that does not exist is refused', async () => {
  const { code, stderr } = await runCommand(launcher, [], {
    env: { PATH: process.env['PATH'], UPSTREAMPROXY_RUNTIME: 'deno' },
  });
  assert.equal(code, 78);
  assert.match(stderr, /"deno"; it can be node or bun/);
});
