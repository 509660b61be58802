// The action, as a runner runs it: each step a process, with the environment that the steps before have made. `npm run test:action` has more.

import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { access, chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { parse } from 'yaml';

import { readInputs } from '../../deploy/action/inputs.ts';
import { openActionStage } from '../support/action-stage.ts';
import { runCommand } from '../support/command.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const skip = skipWithout('bash', 'curl', 'git', 'npm');

test(
  'a job without a policy is observed: its steps reach what they want, its end tells what that was, and nothing is left',
  { skip },
  async () => {
    await using stage = await openActionStage();
    const { runner } = stage;
    const before = { ...runner.environment };
    const main = await runner.use({ ...stage.inputs, mode: 'observe' });
    assert.equal(main.code, 0, main.log);
    assert.deepEqual(before, {});
    assert.match(runner.environment['HTTPS_PROXY'] ?? '', /^http:\/\/127\.0\.0\.1:\d+$/);
    const step = await runner.run(
      'curl -sS https://api.example.com/hello; npm install --prefix app greeting',
    );
    assert.equal(step.code, 0, step.log);
    assert.match(step.log, /^hello$/m);
    const [post] = await runner.finish();
    assert.equal(post?.code, 0, String(post?.log));
    assert.deepEqual(post?.annotations, []);
    const summary = post?.summary ?? '';
    assert.match(summary, /^## upstreamproxy: \d+ requests, 0 refused$/m);
    assert.match(
      summary,
      /^\| <code>https&#58;&#47;&#47;api&#46;example&#46;com<\/code> \| GET \| 1 \| 0 \| 0 \|$/m,
    );
    assert.match(summary, /^ {4}hosts: registry\.example\.com$/m);
    assert.deepEqual(await stage.leftFiles(), []);
    // What follows has no proxy any more.
    const direct = await runner.run('test -z "$HTTPS_PROXY" && test -r "${SSL_CERT_FILE:-/dev/null}"');
    assert.equal(direct.code, 0, direct.log);
  },
);

test('npm installs the program from a cache that no earlier step knows', async () => {
  await using stage = await openActionStage();
  const { runner } = stage;
  await stage.write('npm', '#!/bin/sh\nprintf "%s\\n" "$PWD" "$@" > "$GITHUB_WORKSPACE/told"\nexit 1\n');
  await chmod(join(runner.workspace, 'npm'), 0o755);
  const PATH = `${runner.workspace}${delimiter}${process.env['PATH']}`;
  const { annotations } = await runner.use({ version: '0.0.1' }, { PATH, npm_config_cache: '/shared' });
  assert.match(annotations[0]?.text ?? '', /^npm could not install upstreamproxy@0\.0\.1/);
  const [folder = '', ...args] = (await readFile(join(runner.workspace, 'told'), 'utf8')).split('\n');
  assert.match(folder, /\/upstreamproxy-[0-9a-f]{16}-program$/);
  assert.ok(args.includes(`--cache=${folder}/cache`), args.join(' '));
  await runner.finish();
});

const setpriv = ['setpriv', '--inh-caps=-all', '--bounding-set=-all'];

test(
  'folders that the commands closed are removed, without following links, and what stays is no fault of the job',
  { skip: process.getuid?.() === 0 && skipWithout('setpriv') },
  async () => {
    await using directory = await temporaryDirectory();
    const at = (name: string): string => join(directory.path, name);
    const closed = async (path: string): Promise<void> => {
      await mkdir(path, { recursive: true });
      await writeFile(join(path, 'file'), '');
      await chmod(path, 0o555);
    };
    await closed(at('outside'));
    await closed(at('base-tmp/a/b'));
    await symlink(at('outside'), at('base-tmp/link'));
    const remove = async (base: string): Promise<string> => {
      const places = { state: `${base}-job`, program: `${base}-program`, temporary: `${base}-tmp` };
      const script = `import { removePlaces } from '${root}deploy/action/places.ts'; removePlaces(${JSON.stringify(places)})`;
      // Root may write to any folder but for its capabilities.
      const [file = '', ...args] = [...(process.getuid?.() === 0 ? setpriv : []), process.execPath];
      const { code, stdout, stderr } = await runCommand(file, [...args, '--input-type=module', '-e', script]);
      assert.equal(code, 0, stderr);
      return stdout;
    };
    assert.equal(await remove(at('base')), '');
    assert.deepEqual(await readdir(directory.path), ['outside']);
    assert.deepEqual(
      [(await stat(at('outside'))).mode & 0o777, await readdir(at('outside'))],
      [0o555, ['file']],
    );
    await mkdir(at('held/base-tmp'), { recursive: true });
    await chmod(at('held'), 0o555);
    assert.match(
      await remove(at('held/base')),
      /^::warning title=upstreamproxy::cannot remove .*base-tmp: EACCES/,
    );
    for (const name of ['held', 'outside']) await chmod(at(name), 0o755);
  },
);

interface Action {
  readonly inputs: Readonly<Record<string, { readonly description?: string; readonly default?: string }>>;
  readonly runs: { readonly using: string; readonly main: string; readonly post: string };
}

async function readAction(): Promise<Action> {
  return parse(await readFile(join(root, 'action.yml'), 'utf8')) as Action;
}

test('the action has the inputs that its program reads, each described, and its programs are there', async () => {
  const { inputs, runs } = await readAction();
  const asked = new Set<string>();
  const variables = new Proxy<Record<string, string>>(
    { GITHUB_WORKSPACE: '/w' },
    {
      get: (target, name) => {
        asked.add(String(name));
        return target[String(name)];
      },
    },
  );
  readInputs(variables);
  const names = Object.keys(inputs).map((name) => `INPUT_${name.toUpperCase()}`);
  assert.deepEqual([...asked].filter((name) => name.startsWith('INPUT_')).sort(), names.sort());
  for (const [name, { description }] of Object.entries(inputs))
    assert.ok((description ?? '').length > 10, name);
  assert.equal(runs.using, 'node24');
  for (const file of [runs.main, runs.post]) await access(join(root, file));
});

test('the programs of the action use nothing but each other and modules of Node, and nothing that has to be compiled', async () => {
  const files = globSync('deploy/action/*.ts', { cwd: root });
  assert.ok(files.length > 5);
  for (const file of files) {
    const text = await readFile(join(root, file), 'utf8');
    for (const [, target = ''] of text.matchAll(/from '([^']+)'/g))
      assert.match(target, /^(?:node:[\w/]+|\.\/[\w-]+\.ts)$/, file);
    // What stripping types leaves is what runs; it throws for syntax that it cannot take out.
    assert.ok(stripTypeScriptTypes(text).length > 0);
  }
});

function stepsOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (typeof value !== 'object' || value === null) return [];
  const nested = Object.values(value).flatMap(stepsOf);
  return 'uses' in value ? [value as Readonly<Record<string, unknown>>, ...nested] : nested;
}

test('the workflows of the guide use inputs that the action has, with values that it takes', async () => {
  const { inputs } = await readAction();
  const guide = await readFile(join(root, 'docs/guides/ci-jobs.md'), 'utf8');
  const blocks = [...guide.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(
    ([, block = '']) => parse(block) as unknown,
  );
  const steps = blocks.flatMap(stepsOf).filter(({ uses }) => String(uses).includes('/upstreamproxy@'));
  assert.ok(steps.length >= 4, String(steps.length));
  for (const { with: given = {} } of steps) {
    const values = Object.entries(given as Readonly<Record<string, string>>);
    for (const [name] of values) assert.ok(name in inputs, name);
    const variables = values.map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value] as const);
    readInputs({ GITHUB_WORKSPACE: '/w', ...Object.fromEntries(variables) });
  }
  const [, table = ''] = /^\| input \| default[^\n]*\n\|[^\n]*\n((?:\|[^\n]*\n)+)/m.exec(guide) ?? [];
  const documented = [...table.matchAll(/^\| ([^|]*) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([\w-]+)`/g)].map(([, name = '']) => name),
  );
  assert.deepEqual(documented.sort(), Object.keys(inputs).sort());
});
