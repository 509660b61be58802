// Every option and argument that takes a file, with a file that is another one: no error repeats what stands in it.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { definitions } from '../../src/cli/commands/definitions.ts';
import type { CommandDefinition } from '../../src/cli/definition/command-definition.ts';
import { canary, findCanary } from '../support/canary.ts';
import { mustRun } from '../support/command.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const script = fileURLToPath(new URL('support/swapped-files-script.ts', import.meta.url));
const secret = canary('file');
/** What people have lying beside the right file. */
const contents: Readonly<Record<string, string>> = {
  token: secret,
  variables: `export TOKEN=${secret}\n`,
  map: `password: ${secret}\nlist: [${secret}]\n`,
  broken: `rules: [${secret}\n  - "${secret}\n: {`,
  key: `-----BEGIN PRIVATE KEY-----\n${Buffer.from(secret).toString('base64')}\n-----END PRIVATE KEY-----\n`,
  json: `{"token": "${secret}", ${secret}`,
};

interface Leaf {
  readonly words: readonly string[];
  readonly definition: CommandDefinition;
}

const leaves: readonly Leaf[] = definitions.flatMap((one): readonly Leaf[] =>
  one.kind === 'command'
    ? [{ words: [one.name], definition: one }]
    : one.actions.map((action) => ({ words: [one.name, action.name], definition: action })),
);

/** What has to stand beside a file for the command to come to it. */
const beside: Readonly<Record<string, readonly string[]>> = {
  run: ['--isolate=off', '--gateway=https://127.0.0.1:1', '--token-file=TOKEN'],
  agent: ['--gateway=https://127.0.0.1:1', '--token-file=TOKEN'],
  env: ['--relay-port=3128'],
  'token issue': ['--subject=x'],
  'policy explain': ['GET', 'https://a.example.com/'],
  'policy replay': [],
  'session revoke': ['x'],
  'access grant': ['x'],
  'access deny': ['x'],
  'access revoke': ['x'],
  'embedded-gateway': [],
};
/** Of the options above, those that an option does not go with. */
const without: Readonly<Record<string, readonly string[]>> = {
  'run --token-file': ['--token-file=TOKEN'],
  'agent --token-file': ['--token-file=TOKEN'],
  'run --policy': ['--gateway=https://127.0.0.1:1', '--token-file=TOKEN'],
  'run --config': ['--gateway=https://127.0.0.1:1', '--token-file=TOKEN'],
};

/** Options and arguments that take a file, by command. */
function places({
  words,
  definition,
}: Leaf): readonly { readonly name: string; line(file: string): string[] }[] {
  const command = words.join(' ');
  const options = Object.entries(definition.options).flatMap(([name, option]) => {
    const takesFile =
      (option.kind === 'path' && option.holds !== 'folder') ||
      (option.kind === 'repeated' && option.each === 'path');
    return takesFile ? [`--${name}`] : [];
  });
  const others = (beside[command] ?? []).slice();
  const end =
    definition.kind === 'command' && 'command' in definition && definition.command !== undefined
      ? ['--', 'true']
      : [];
  const required = command === 'embedded-gateway' ? ['--state=STATE'] : [];
  const lineOf = (name: string, value: readonly string[]): string[] => [
    ...words,
    ...others.filter((one) => !(without[`${command} ${name}`] ?? []).includes(one)),
    ...required,
    ...value,
    ...end,
  ];
  return [
    ...options.map((name) => ({
      name: `${command} ${name}`,
      line: (file: string) => lineOf(name, [`${name}=${file}`]),
    })),
    ...definition.arguments
      .filter(({ takes }) => takes === 'path')
      .map(({ name }) => ({
        name: `${command} ${name}`,
        line: (file: string) =>
          lineOf(
            name,
            command === 'policy diff'
              ? name === 'OLD'
                ? [file, 'policy.yaml']
                : ['policy.yaml', file]
              : [file],
          ),
      })),
  ];
}

test('no error repeats what stands in a file that could not be used', async () => {
  await using folder = await temporaryDirectory();
  writeFileSync(join(folder.path, 'policy.yaml'), 'rules: []\n');
  const cases = leaves.flatMap((leaf) =>
    places(leaf).flatMap(({ name, line }) =>
      Object.keys(contents)
        // A gateway of its own reads those, as `embedded-gateway` alone does.
        .filter((kind) => !/^run --(?:policy|config)$/.test(name) || kind === 'token')
        .map((kind) => ({ name, kind, line })),
    ),
  );
  // The table is not empty, and has what was once printed.
  for (const name of [
    'run --gateway-ca',
    'agent --token-file',
    'policy check FILE',
    'gateway --config',
    'policy learn AUDIT',
  ])
    assert.ok(
      cases.some((one) => one.name === name),
      name,
    );
  const lines = cases.map(({ kind, line }, index) => {
    const own = join(folder.path, String(index));
    mkdirSync(join(own, 'state'), { recursive: true });
    const [file, token] = [join(own, 'swapped'), join(own, 'own-token')];
    writeFileSync(token, 'x', { mode: 0o600 });
    writeFileSync(file, contents[kind] ?? '', { mode: 0o600 });
    return line(file).map((word) => word.replace('STATE', join(own, 'state')).replace('TOKEN', token));
  });
  const list = join(folder.path, 'lines');
  writeFileSync(list, JSON.stringify(lines));
  const env = { PATH: process.env['PATH'], HOME: folder.path, XDG_STATE_HOME: folder.path };
  const text = await mustRun(process.execPath, ['--disable-warning=ExperimentalWarning', script, list], {
    env,
    cwd: folder.path,
    timeoutMs: 300_000,
  });
  const results = JSON.parse(text) as readonly { readonly text: string; readonly outcome: number | string }[];
  assert.equal(results.length, cases.length);
  const leaks = results.flatMap(({ text: said, outcome }, index) => {
    const { name, kind } = cases[index]!;
    const isLeak = findCanary(said, secret).length > 0 || said.includes('PRIVATE KEY-----\n');
    return isLeak || outcome === 'late' || outcome === 'absent'
      ? [`${name} (${kind}) ${outcome}: ${said}`]
      : [];
  });
  assert.deepEqual(leaks, []);
});
