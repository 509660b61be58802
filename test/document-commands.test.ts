// Every command that a document shows is run by a test, or says why not; and every command line of this program is one that it takes.

import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { definitions } from '../src/cli/commands/definitions.ts';
import type { CommandDefinition } from '../src/cli/definition/command-definition.ts';
import { parseCommand, parseGroup } from '../src/cli/definition/parse-arguments.ts';
import { synopsis } from '../src/cli/definition/synopsis.ts';
import {
  commandsIn,
  type DocumentCommand,
  documentCommands,
  programArguments,
  simpleCommands,
} from './support/document-commands.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const commands = documentCommands(root);

/** Reasons why nothing here runs a command; there are no others. */
type Reason =
  | 'it needs a cluster'
  | "it needs another company's service"
  | 'it changes the machine'
  | 'it needs another system';

/** `test` has `names`, by default the name of the document: then it runs what that shows, and else the same command. */
type Way = { readonly test: string; readonly names?: string } | { readonly not: Reason };

interface Row {
  readonly document: string;
  /** What its commands begin with, or have; by default all of the document that no row above has. */
  readonly has?: string;
  /** Of blocks of `console` alone. */
  readonly isConsole?: true;
  readonly way: Way;
}

/** Documents whose blocks of `console` a test runs from first to last, and that test. */
const stories = new Map(
  globSync('test/**/*.ts', { cwd: root }).flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/\bstage\.run\(\s*'([\w/.-]+\.md)'/g)].map(
      ([, document = '']) => [document, file] as const,
    ),
  ),
);

function isOfStory({ document, isConsole }: DocumentCommand): boolean {
  return isConsole && stories.has(document);
}

function rowOf({ document, line, isConsole }: DocumentCommand): Row | undefined {
  return rows.find(
    (one) =>
      one.document === document &&
      (one.has === undefined || line.includes(one.has)) &&
      (isConsole || one.isConsole === undefined),
  );
}

const blocks = 'test/e2e/document-commands.test.ts';
const guides = 'test/e2e/guides.test.ts';
const recipes = ['claude-code', 'codex', 'gemini-cli', 'opencode'] as const;

const rows: readonly Row[] = [
  {
    document: 'docs/reference/proxy.md',
    way: { test: 'test/cli/gateway/token.test.ts', names: 'token issue --kind proxy' },
  },
  // The same as with curl, but that its registry is another company's.
  { document: 'README.md', has: 'npm view', way: { not: "it needs another company's service" } },
  { document: 'README.md', way: { test: blocks } },
  { document: 'docs/guides/packages.md', has: 'cache ', way: { test: 'test/cli/gateway/cache.test.ts' } },
  {
    document: 'docs/reference/package-registries.md',
    has: 'packages report',
    way: { test: 'test/cli/operator/package-report.test.ts', names: "'packages', 'report'" },
  },
  {
    document: 'docs/reference/package-registries.md',
    has: 'packages forget',
    way: { test: 'test/cli/operator/package-forget.test.ts', names: "'packages', 'forget'" },
  },
  {
    document: 'docs/reference/package-registries.md',
    has: 'packages test',
    way: { test: 'test/cli/policy/test-packages.test.ts', names: "'packages', 'test'" },
  },
  { document: 'docs/reference/package-registries.md', way: { test: 'test/cli/gateway/packages.test.ts' } },
  { document: 'docs/guides/packages.md', way: { test: 'test/cli/gateway/packages.test.ts' } },
  { document: 'docs/what-is-not-there.md', way: { not: 'it needs another system' } },
  { document: 'docs/guides/ci-jobs.md', has: 'ci/upstreamproxy', way: { test: 'test/action/lock.test.ts' } },
  { document: 'docs/guides/ci-jobs.md', has: 'npm init', way: { test: 'test/action/lock.test.ts' } },
  {
    document: 'docs/guides/ci-jobs.md',
    has: 'npm install --save-exact',
    way: { test: 'test/action/lock.test.ts' },
  },
  { document: 'docs/guides/service.md', way: { test: 'scripts/test-distributions.ts' } },
  ...recipes.flatMap((name) => [
    {
      document: `docs/guides/${name}.md`,
      has: 'npm install -g',
      way: { test: 'scripts/test-recipes.ts', names: 'npm' },
    },
    {
      document: `docs/guides/${name}.md`,
      isConsole: true as const,
      way: { test: 'test/recipes/support/recipe-stage.ts', names: 'docs/guides/${recipe}.md' },
    },
  ]),
  {
    document: 'docs/guides/bubblewrap.md',
    has: 'apt-get install',
    way: { test: 'scripts/test-recipes.ts', names: 'apt-get' },
  },
  { document: 'docs/guides/bubblewrap.md', way: { test: 'test/recipes/bubblewrap.test.ts' } },
  { document: 'docs/guides/micro-vm.md', way: { test: 'test/recipes/micro-vm.test.ts' } },
  { document: 'docs/guides/compose.md', way: { not: 'it needs another system' } },
  { document: 'docs/guides/dev-container.md', way: { not: 'it needs another system' } },
  { document: 'docs/guides/podman.md', has: 'systemctl', way: { not: 'it changes the machine' } },
  {
    document: 'docs/guides/podman.md',
    way: { test: 'test/recipes/podman.recipe.ts', names: 'secret create' },
  },
  {
    document: 'docs/guides/install.md',
    has: 'npm install -g',
    way: { test: 'test/release/npm-install.release.ts', names: "'-g'" },
  },
  { document: 'docs/guides/install.md', has: 'npm ci', way: { not: 'it changes the machine' } },
  {
    document: 'docs/guides/install.md',
    has: 'upgrade --check',
    way: { test: 'test/cli/operator/upgrade.test.ts', names: "'upgrade', '--check'" },
  },
  {
    document: 'docs/guides/install.md',
    has: 'skopeo copy',
    way: { test: 'test/release/build.release.ts', names: "'--preserve-digests'" },
  },
  { document: 'docs/guides/install.md', way: { test: blocks } },
  { document: 'docs/guides/kubernetes.md', way: { not: 'it needs a cluster' } },
  { document: 'docs/reference/chart.md', way: { not: 'it needs a cluster' } },
  {
    document: 'docs/guides/see-what-agents-do.md',
    has: 'npm install',
    way: { test: 'test/release/npm-install.release.ts', names: "'-g'" },
  },
  {
    document: 'docs/guides/see-what-agents-do.md',
    has: 'run --ui',
    way: { test: 'test/e2e/run-console.test.ts', names: "'--ui'" },
  },
  {
    document: 'docs/guides/see-what-agents-do.md',
    has: 'curl',
    way: { not: "it needs another company's service" },
  },
  { document: 'docs/guides/see-what-agents-do.md', way: { test: blocks } },
  { document: 'docs/guides/several-gateways.md', has: 'kubectl', way: { not: 'it needs a cluster' } },
  {
    document: 'docs/guides/several-gateways.md',
    has: 'identity make',
    way: { test: 'test/e2e/guide-several-gateways.test.ts', names: "'identity', 'make'" },
  },
  {
    document: 'docs/guides/several-gateways.md',
    has: 'gateway --check',
    way: { test: 'test/cli/gateway/gateway-check.test.ts', names: "'--check'" },
  },
  {
    document: 'docs/guides/several-gateways.md',
    has: 'gateway drain',
    way: { test: guides, names: 'docs/guides/upgrades.md' },
  },
  {
    document: 'docs/reference/access.md',
    way: { test: 'test/cli/operator/access.test.ts', names: "'grant'" },
  },
  {
    document: 'docs/reference/admin-api.md',
    way: { test: 'test/cli/operator/server.test.ts', names: "'login'" },
  },
  {
    document: 'docs/reference/audit.md',
    way: { test: 'test/cli/operator/audit-verify.test.ts', names: "'audit', 'verify'" },
  },
  { document: 'docs/reference/certificates.md', way: { test: blocks } },
  { document: 'docs/reference/doctor.md', way: { test: blocks } },
  {
    document: 'docs/reference/policy.md',
    has: 'policy prove',
    way: { test: guides, names: 'docs/guides/prove-your-policy.md' },
  },
  {
    document: 'docs/reference/policy.md',
    way: { test: 'test/cli/policy/published.test.ts', names: "'publish'" },
  },
  {
    document: 'docs/reference/release.md',
    has: 'cosign',
    way: { test: 'test/release/build.release.ts', names: "'verify-blob-attestation'" },
  },
  {
    document: 'docs/reference/release.md',
    has: 'skopeo copy',
    way: { test: 'test/release/build.release.ts', names: "'--preserve-digests'" },
  },
  {
    document: 'docs/reference/release.md',
    has: 'podman pull',
    way: { not: 'it needs another system' },
  },
  { document: 'docs/reference/release.md', way: { test: blocks } },
  {
    document: 'docs/reference/store.md',
    has: 'store copy',
    way: { test: 'test/cli/operator/store.test.ts', names: "'store', 'copy'" },
  },
  {
    document: 'docs/reference/store.md',
    way: { test: 'test/cli/operator/store.test.ts', names: "'store', 'restore'" },
  },
];

/** Made from the definitions of commands, which the two tests at the end look at. */
const made = 'docs/reference/commands.md';

test('every command of a document is run by a test that is there, or has a reason why not', () => {
  const taken = new Map(rows.map((row) => [row, 0]));
  const left = commands.filter((command) => {
    if (command.document === made) return false;
    const row = rowOf(command);
    if (row !== undefined) taken.set(row, (taken.get(row) ?? 0) + 1);
    return row === undefined && !isOfStory(command);
  });
  assert.deepEqual(
    left.map(({ document, line }) => `${document}: ${line}`),
    [],
    'write the test that runs it, and name it here',
  );
  const unused = [...taken].filter(([, count]) => count === 0).map(([row]) => row);
  assert.deepEqual(unused, [], 'no command of the document is of this row');
  for (const { document, way } of rows) {
    if ('not' in way) continue;
    assert.ok(existsSync(join(root, way.test)), way.test);
    const names = way.names ?? document;
    assert.ok(readFileSync(join(root, way.test), 'utf8').includes(names), `${way.test} has no ${names}`);
  }
  assert.ok(stories.size > 5, [...stories].join(' '));
  assert.ok(commands.length - left.length > 200, `${commands.length} commands were seen`);
});

/** As somebody types it, of a form that a reference gives: each part that may be left out is there, and of what there is to choose the first. */
function typed(words: readonly string[]): readonly string[] {
  return words.map((word) => word.replaceAll(/[[\]]/g, '')).filter((word) => word !== '');
}

/** One line each, in the reference and nowhere else. */
const synopses = new Set(
  definitions.flatMap((definition) =>
    definition.kind === 'group'
      ? definition.actions.flatMap((one) => formsOf(one, `${definition.name} ${one.name}`))
      : formsOf(definition, definition.name),
  ),
);

function formsOf(definition: CommandDefinition, path: string): readonly string[] {
  return definition.forms ?? [synopsis(definition, path)];
}

test('every command line of this program in a document is one that it takes', () => {
  let seen = 0;
  for (const { document, line } of commands) {
    // Words in it stand for others.
    if (document === made && synopses.has(line.replace('upstreamproxy ', ''))) continue;
    for (const args of programArguments(line.replaceAll(/(\w)\|[\w|]+/g, '$1'))) {
      seen += 1;
      const [name = '', ...rest] = typed(args);
      if (['--version', 'version', 'help'].includes(name)) continue;
      const definition = definitions.find((one) => one.name === name);
      assert.ok(definition !== undefined, `${document}: ${line}: there is no command ${name}`);
      try {
        if (definition.kind === 'command') parseCommand(definition, rest);
        else assert.deepEqual(parseGroup(definition, rest).unused, []);
      } catch (error) {
        assert.fail(`${document}: ${line}: ${(error as Error).message}`);
      }
    }
  }
  assert.ok(seen > 150, `${seen} command lines were seen`);
});

test('every command of the reference is started by some test', () => {
  const sources = globSync('test/**/*.ts', { cwd: root }).map((file) =>
    readFileSync(join(root, file), 'utf8'),
  );
  const all = sources.join('\n');
  const run = new Set(
    commands.flatMap((command) => {
      const row = rowOf(command);
      return isOfStory(command) || (row !== undefined && 'test' in row.way)
        ? programArguments(command.line).map((args) => args.slice(0, 2).join(' '))
        : [];
    }),
  );
  const names = definitions
    .filter((definition) => !('hidden' in definition && definition.hidden === true))
    .flatMap((definition) =>
      definition.kind === 'group'
        ? definition.actions.map((one) => [definition.name, one.name])
        : [[definition.name]],
    );
  const left = names.filter((words) => {
    const typedInTest = new RegExp(
      `${words.map((word) => `'${word}'`).join(',\\s*')}|'${words.join(' ')}\\b`,
    );
    return !typedInTest.test(all) && ![...run].some((args) => args.startsWith(words.join(' ')));
  });
  assert.ok(names.length > 50);
  assert.deepEqual(left, []);
});

test('commands are found in blocks, without prompts, comments and what they print', () => {
  const text =
    '```sh\n# why\none --a \\\n  b   # what\n\n```\n```console\n$ two\nprinted\ngateway$ three\n```\n   ```sh\n   four\n   ```\n```text\nfive\n```\n';
  assert.deepEqual(
    commandsIn('d', text).map(({ line }) => line),
    ['one --a b', 'two', 'three', 'four'],
  );
  assert.deepEqual(simpleCommands(`(umask 077 && a "b c" 'd' | e) > f 2>> g; h`), [
    ['umask', '077'],
    ['a', 'b c', 'd'],
    ['e'],
    ['h'],
  ]);
  assert.deepEqual(
    programArguments('runuser -u a -- upstreamproxy run -- upstreamproxy doctor; cat upstreamproxy'),
    [['run', '--', 'upstreamproxy', 'doctor'], ['doctor']],
  );
});
