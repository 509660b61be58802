import assert from 'node:assert/strict';
import { test } from 'node:test';

import { definitions } from '../../../src/cli/commands/definitions.ts';
import type { CommandDefinition } from '../../../src/cli/definition/command-definition.ts';
import { renderHelp, renderOverview } from '../../../src/cli/definition/render-help.ts';

const definition: CommandDefinition = {
  kind: 'command',
  name: 'send',
  summary: 'sends a thing',
  arguments: [{ name: 'PLACE', help: 'where it goes', required: true }],
  options: {
    form: {
      kind: 'choice',
      placeholder: 'FORM',
      short: 'f',
      help: 'how it looks',
      choices: { text: 'for people', json: 'for programs' },
      otherwise: 'text',
    },
    'a-name-that-is-very-long': { kind: 'flag', help: 'has a line for itself' },
    inside: {
      kind: 'number',
      placeholder: 'N',
      min: 1,
      max: 9,
      otherwise: 2,
      help: 'how many',
      section: 'In a box',
    },
  },
  examples: [{ line: 'upstreamproxy send home', purpose: 'home' }],
  exits: { 3: 'it did not arrive' },
};

const program = { name: 'upstreamproxy', definitions } as const;

test('help says how a command is called, what it takes, an example and its exit codes', () => {
  assert.equal(
    renderHelp(program, definition),
    `upstreamproxy send PLACE [options]

Sends a thing.

  PLACE                 where it goes

Options:
  -f, --form FORM       how it looks: text (default): for people; json: for programs
  --a-name-that-is-very-long
                        has a line for itself

In a box:
  --inside N            how many; default 2

Options of every command:
  -q, --quiet           no progress, and no lines about what was done: results, warnings and errors stay
  --verbose             also says on standard error which gateway or store is asked, how long the command
                        took, and of an error what caused it and what to do

Examples:
  # home
  upstreamproxy send home

Exit codes:
  send ends with 3: it did not arrive
`,
  );
});

test('the single file names itself in its help, and the other form for what it does not have', () => {
  const single = { name: 'upstreamproxy-agent', definitions: [definition] } as const;
  const text = renderHelp(single, { ...definition, description: ['See `upstreamproxy ca show`.'] });
  assert.match(
    text,
    /^upstreamproxy-agent send [^]*See `upstreamproxy ca show`[^]*\n {2}upstreamproxy-agent send home\n/,
  );
  assert.match(renderOverview(single), /^Usage: upstreamproxy-agent COMMAND [^]*^ {2}send +/m);
});

test('help of a group has every option of its actions, and help of an action its own alone', () => {
  for (const one of definitions) {
    if (one.kind !== 'group') continue;
    const whole = renderHelp(program, one);
    for (const action of one.actions) {
      const text = renderHelp(program, one, [action.name]);
      assert.ok(text.startsWith(`upstreamproxy ${one.name} ${action.name}`), text);
      for (const name of Object.keys(action.options)) {
        assert.match(whole, new RegExp(`--${name}\\b`));
        assert.match(text, new RegExp(`--${name}\\b`));
      }
    }
  }
});

test('no line of help is longer than a terminal, but for command lines', () => {
  for (const one of definitions) {
    for (const line of renderHelp(program, one).split('\n'))
      assert.ok(line.length <= 110 || /^ {0,2}upstreamproxy /.test(line), line);
  }
});

test('the list of commands has each once, without those that the program starts itself', () => {
  const text = renderOverview(program);
  for (const { name, hidden } of definitions) {
    const found = text.match(new RegExp(`^ {2}${name} `, 'gm')) ?? [];
    assert.equal(found.length, hidden === true ? 0 : 1, name);
  }
});
