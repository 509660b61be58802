// The package on a machine that has Node 20 and npm alone: `npm install -g` brings the Node that it needs. Part of `npm run test:release`.

import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { type CommandResult, mustRun, runCommand } from '../support/command.ts';
import { nodeOfMajor } from '../support/old-nodes.ts';
import { startDocs } from '../support/docs-process.ts';
import { httpsOrigin } from '../support/origin.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { findTool, skipWithout } from '../support/tools.ts';
import { readPackReport } from '../support/pack-report.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const oldNode = nodeOfMajor(20);
const npm = findTool('npm', ['/usr/bin', '/usr/local/bin', process.env['PATH'] ?? ''].join(delimiter));
const timeoutMs = 300_000;
const skip =
  skipWithout('curl') || (oldNode === undefined ? 'no Node 20 here' : npm === undefined && 'no npm here');

/** npm's words for a registry that cannot be reached. */
const unreachable = /ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|ECONNRESET|ENETUNREACH|network/;

describe('npm install -g', { skip }, () => {
  let directory: TemporaryDirectory;
  let archive = '';
  let path = '';
  before(
    async () => {
      directory = await temporaryDirectory();
      const env = {
        ...process.env,
        PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env['PATH']}`,
      };
      const output = await mustRun('npm', ['pack', '--json', '--pack-destination', directory.path], {
        cwd: root,
        env,
        timeoutMs,
      });
      archive = join(directory.path, readPackReport(output).filename);
      // Nothing of the checkout is on PATH, and of other versions of Node none.
      const tools = join(directory.path, 'tools');
      await mkdir(tools);
      await symlink(oldNode!, join(tools, 'node'));
      await symlink(npm!, join(tools, 'npm'));
      path = `${tools}:/usr/bin:/bin`;
    },
    { timeout: timeoutMs },
  );
  after(async () => {
    await directory[Symbol.asyncDispose]();
  });

  /** Undefined, and the test is skipped, where no registry can be reached. */
  async function install(t: TestContext, options: readonly string[]): Promise<CommandResult | undefined> {
    const args = ['install', '--prefer-offline', '--no-audit', '--no-fund', ...options, archive];
    const result = await runCommand('npm', args, { env: { ...process.env, PATH: path }, timeoutMs });
    if (result.code !== 0 && unreachable.test(result.stderr)) {
      t.skip(`the package registry cannot be reached: ${result.stderr.split('\n')[0]}`);
      return undefined;
    }
    assert.equal(result.code, 0, result.stderr);
    return result;
  }

  for (const options of [[], ['--ignore-scripts']]) {
    test(
      `${options.join(' ')} under Node 20 it brings its own Node, runs a command, and goes without a trace`,
      { timeout: timeoutMs },
      async (t) => {
        const prefix = join(directory.path, `prefix${options.join('')}`);
        const startedMs = performance.now();
        const result = await install(t, ['-g', '--prefix', prefix, ...options]);
        if (result === undefined) return;
        const installedMs = performance.now();
        // undici wants a newer Node than npm runs under; it gets one.
        const refused = [...result.stderr.matchAll(/EBADENGINE   package: '([^@']+)@/g)].map(
          ([, name]) => name,
        );
        assert.deepEqual(
          [...new Set(refused)].filter((name) => name !== 'undici'),
          [],
        );
        assert.doesNotMatch(result.stderr, /allow-scripts|deprecated/);
        const packages = join(prefix, 'lib/node_modules/upstreamproxy/node_modules');
        const brought = (await readdir(packages)).filter((name) => name.startsWith('node-linux-'));
        assert.deepEqual(brought, [`node-linux-${process.arch}`]);

        const command = join(prefix, 'bin/upstreamproxy');
        const env = { PATH: path, HOME: directory.path, XDG_STATE_HOME: prefix };
        const version = await mustRun(command, ['--version'], { env });
        assert.match(version, new RegExp(`^upstreamproxy [0-9.]+ \\(node ${process.versions.node}\\)\n$`));

        // The documents come with it.
        {
          await using docs = await startDocs([], command, env);
          const page = await (await fetch(`${docs.origin}/0.1.0/guides/first-steps.html`)).text();
          assert.match(page, /<h1 id="from-a-first-run-to-an-enforced-policy"/);
        }

        const authority = createTestAuthority();
        await using origin = await httpsOrigin({ authority });
        await writeFile(
          join(directory.path, 'policy.yaml'),
          `rules: [{ name: hello, hosts: api.test, ports: ${origin.port}, paths: /hello, addresses: 127.0.0.1/32 }]\n`,
        );
        await writeFile(join(directory.path, 'ca.pem'), authority.caPem);
        const config = join(directory.path, 'gateway.yaml');
        await writeFile(
          config,
          'policy: policy.yaml\nupstream: { ca: ca.pem, hosts: { api.test: 127.0.0.1 } }\n',
        );
        const run = (url: string) =>
          runCommand(command, ['run', '--config', config, '--', 'curl', '-sS', origin.url('api.test', url)], {
            env,
          });
        const allowed = await run('/hello');
        assert.deepEqual([allowed.code, allowed.stdout], [0, 'hello\n'], allowed.stderr);
        const denied = await run('/other');
        assert.match(denied.stdout, /^reason: policy_denied$/m, denied.stderr);
        const ms = (from: number, to: number): string => `${((to - from) / 1000).toFixed(1)} s`;
        t.diagnostic(
          `install ${ms(startedMs, installedMs)}, first session and first denial ${ms(installedMs, performance.now())}`,
        );

        await mustRun('npm', ['uninstall', '-g', '--prefix', prefix, 'upstreamproxy'], {
          env: { ...process.env, PATH: path },
        });
        assert.deepEqual(globSync(['bin/*', 'lib/node_modules/[!.]*'], { cwd: prefix }), []);
      },
    );
  }

  test(
    'in a project without optional dependencies it says what to do under Node 20, and runs under a newer Node on PATH',
    { timeout: timeoutMs },
    async (t) => {
      const project = join(directory.path, 'project');
      await mkdir(project);
      await writeFile(join(project, 'package.json'), '{ "private": true }\n');
      if ((await install(t, ['--prefix', project, '--omit=optional'])) === undefined) return;
      assert.ok(!existsSync(join(project, `node_modules/node-linux-${process.arch}`)));
      const command = join(project, 'node_modules/.bin/upstreamproxy');
      const refused = await runCommand(command, ['--version'], { env: { PATH: path } });
      assert.equal(refused.code, 78);
      assert.match(
        refused.stderr,
        /^upstreamproxy: Node\.js 26 or newer is needed, and \S+ is v20\.\S+; .* --include=optional \[config_invalid\]\n$/,
      );
      const newer = join(directory.path, 'newer');
      await mkdir(newer);
      await symlink(process.execPath, join(newer, 'node'));
      const version = await mustRun(command, ['--version'], { env: { PATH: `${newer}:${path}` } });
      assert.match(version, /\(node 26\./);
      // And with them, beside the package.
      assert.ok((await install(t, ['--prefix', project])) !== undefined);
      assert.match(await mustRun(command, ['--version'], { env: { PATH: path } }), /\(node 26\./);
    },
  );
});
