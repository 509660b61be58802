import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { CommandDefinition, GroupDefinition } from '../../../src/cli/definition/command-definition.ts';
import { commandOf, groupOf } from '../../../src/cli/terminal/command.ts';

const list = {
  kind: 'command',
  name: 'list',
  summary: 'lists',
  arguments: [],
  options: { all: { kind: 'flag', help: 'everything' } },
  examples: [],
} as const satisfies CommandDefinition;

const end = {
  kind: 'command',
  name: 'end',
  summary: 'ends',
  arguments: [{ name: 'ID', help: 'which one', required: true }],
  options: {},
  examples: [],
} as const satisfies CommandDefinition;

const group = {
  kind: 'group',
  name: 'thing',
  summary: 'things',
  question: 'what about things?',
  actions: [list, end],
} as const satisfies GroupDefinition;

const standardError = (context: TestContext): (() => string) => {
  const written = context.mock.method(process.stderr, 'write', () => true);
  return () => written.mock.calls.map(({ arguments: [text] }) => String(text)).join('');
};

test('a command gets what its definition says, and gives its exit code', async () => {
  const command = commandOf(list, ({ options }) => Promise.resolve(options.all ? 3 : 4));
  assert.equal(command.definition, list);
  assert.equal(await command.run(['--all']), 3);
  assert.equal(await command.run([]), 4);
  await assert.rejects(command.run(['--nope']), {
    code: 'usage',
    message: /^upstreamproxy list has no option/,
  });
});

test('each action of a group gets its own input, and what it has no use for is said', async (context) => {
  const said = standardError(context);
  const seen: unknown[] = [];
  const command = groupOf(group, {
    list: ({ options }) => Promise.resolve(seen.push(options)),
    end: ({ arguments: { ID } }) => Promise.resolve(seen.push(ID)),
  });
  assert.equal(await command.run(['list', '--all', '-q']), 1);
  assert.equal(said(), '');
  assert.equal(await command.run(['--all', 'end', 'x']), 2);
  assert.deepEqual(seen, [{ all: true, quiet: true, verbose: false }, 'x']);
  assert.equal(said(), 'upstreamproxy: --all does nothing for thing end\n');
});
