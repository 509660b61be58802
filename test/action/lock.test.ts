// Which program runs is what a lock file of the repository says, by digest: in the action and in the component for GitLab.

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';

import { ActionRunner } from '../support/action-runner.ts';
import { runCommand } from '../support/command.ts';
import { commandsIn } from '../support/document-commands.ts';
import { includeComponent } from '../support/gitlab-component.ts';
import { leadingProxy } from '../support/leading-proxy.ts';
import { packageRegistry } from '../support/package-registry.ts';
import { launcher } from '../support/program.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';

const skip = skipWithout('npm', 'bash', 'sh');
const document = new URL('../../docs/guides/ci-jobs.md', import.meta.url);
const template = new URL('../../templates/upstreamproxy/template.yml', import.meta.url);
const lock = 'ci/upstreamproxy/package-lock.json';

interface Repository {
  readonly runner: ActionRunner;
  /** Changes what its lock file says of the package. */
  change(entry: Readonly<Record<string, unknown>>): Promise<void>;
}

/** With the lock file that the guide makes, by a registry that has the package: it starts the program of the tests. */
async function openRepository(stack: AsyncDisposableStack): Promise<Repository> {
  const { path } = stack.use(await temporaryDirectory());
  const authority = createTestAuthority();
  const publicUrl = 'https://registry.example.com/';
  const command = `#!/bin/sh\nexec '${launcher}' "$@"\n`;
  const registry = stack.use(await packageRegistry({ authority, publicUrl, name: 'upstreamproxy', command }));
  const proxy = stack.use(await leadingProxy({ 'registry.example.com': registry.port }));
  const [home, ca, temporary] = [join(path, 'home'), join(path, 'ca.pem'), join(path, 'tmp')];
  for (const folder of [home, temporary]) await mkdir(folder);
  await writeFile(ca, authority.caPem);
  const base = {
    HOME: home,
    PATH: ['/usr/bin', '/bin', process.env['PATH']].join(delimiter),
    TMPDIR: temporary,
    npm_config_registry: publicUrl,
    npm_config_cafile: ca,
    npm_config_https_proxy: proxy.url,
    npm_config_update_notifier: 'false',
    // It asks again for what has another digest.
    npm_config_fetch_retries: '0',
  };
  const runner = stack.use(await ActionRunner.open(join(path, 'runner'), base));
  const lines = commandsIn('', await readFile(document, 'utf8')).filter(({ line }) =>
    /ci\/upstreamproxy|^npm init|npm install --save-exact/.test(line),
  );
  assert.equal(lines.length, 3);
  const made = await runner.run(lines.map(({ line }) => line).join('\n'));
  assert.equal(made.code, 0, made.log);
  const file = join(runner.workspace, lock);
  const text = await readFile(file, 'utf8');
  return {
    runner,
    change: async (entry) => {
      const { packages, ...rest } = JSON.parse(text) as { packages: Record<string, object> };
      const changed = { ...packages['node_modules/upstreamproxy'], ...entry };
      await writeFile(
        file,
        JSON.stringify({ ...rest, packages: { ...packages, 'node_modules/upstreamproxy': changed } }),
      );
    },
  };
}

const foreign = `sha512-${'A'.repeat(86)}==`;
/** What npm takes without a look at what comes. */
const noDigests = [
  { integrity: undefined },
  { integrity: 'sha512-' },
  { integrity: 'sha512-????' },
  { integrity: `${foreign}=` },
  { integrity: undefined, inBundle: true },
] as const;

test(
  'the action installs what a lock file says by its digest, and nothing that has another or none',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const { runner, change } = await openRepository(stack);
    const main = await runner.use({ lock });
    assert.equal(main.code, 0, main.log);
    assert.match(runner.environment['HTTPS_PROXY'] ?? '', /^http:/);
    const [post] = await runner.finish();
    assert.equal(post?.code, 0, String(post?.log));
    const refused = async (inputs: Readonly<Record<string, string>>): Promise<string> => {
      const { code, annotations } = await runner.use(inputs);
      assert.equal(code, 1);
      await runner.finish();
      return annotations[0]?.text ?? '';
    };
    await change({ integrity: foreign });
    assert.match(await refused({ lock }), /^npm could not install what package-lock\.json names/);
    for (const entry of noDigests) {
      await change(entry);
      assert.match(
        await refused({ lock }),
        /has no digest of node_modules\/upstreamproxy/,
        JSON.stringify(entry),
      );
    }
    assert.match(await refused({ lock, version: '1.0.0' }), /leave version and program away/);
    assert.match(await refused({ lock: 'ci/none.json' }), /ci\/none\.json is not there/);
    await writeFile(join(runner.workspace, lock), '{ "packages": {} }');
    assert.match(await refused({ lock }), /has no upstreamproxy/);
    await writeFile(join(runner.workspace, 'alone.json'), '{}');
    assert.match(
      await refused({ lock: 'alone.json' }),
      /^lock is a package-lock\.json with a package\.json beside it/,
    );
  },
);

test(
  'the component for GitLab installs what a lock file says by its digest, and nothing that has another or none',
  { skip },
  async () => {
    await using stack = new AsyncDisposableStack();
    const { runner, change } = await openRepository(stack);
    const job = includeComponent(await readFile(template, 'utf8'), { lock })['.upstreamproxy']!;
    const run = (script: readonly string[], id: string) =>
      runCommand('sh', ['-e', '-c', script.join('\n')], {
        cwd: runner.workspace,
        env: {
          ...runner.base,
          ...job.variables,
          CI_PROJECT_DIR: runner.workspace,
          CI_JOB_ID: id,
          CI_JOB_TIMEOUT: '600',
        },
      });
    const good = await run([...job.before_script, 'test -n "$HTTPS_PROXY"', 'upstreamproxy_end'], '1');
    assert.equal(good.code, 0, good.stderr);
    await run(job.after_script, '1');
    await change({ integrity: foreign });
    const other = await run(job.before_script, '2');
    assert.notEqual(other.code, 0);
    assert.match(other.stderr, /EINTEGRITY/);
    for (const [n, entry] of noDigests.entries()) {
      await change(entry);
      const none = await run(job.before_script, `3${n}`);
      assert.notEqual(none.code, 0, JSON.stringify(entry));
      assert.match(none.stderr, /the lock has no digest of node_modules\/upstreamproxy/);
    }
  },
);
