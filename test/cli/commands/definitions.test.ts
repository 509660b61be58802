import assert from 'node:assert/strict';
import { test } from 'node:test';

import { namedLayers } from '../../../src/cli/commands/jail-options-table.ts';
import { definitions } from '../../../src/cli/commands/definitions.ts';
import {
  type CommandDefinition,
  commonOptions,
  type Definition,
  type OptionDefinition,
  type OptionTable,
} from '../../../src/cli/definition/command-definition.ts';
import { parseCommand, parseGroup } from '../../../src/cli/definition/parse-arguments.ts';
import { jailLayers } from '../../../src/agent/jail/jail-plan.ts';
import { asProxyError } from '../../../src/protocol/error.ts';
import { acceptedOptions } from './accepted.ts';

function commandsOf(definition: Definition): readonly CommandDefinition[] {
  return definition.kind === 'command' ? [definition] : definition.actions;
}

const all = definitions.flatMap((definition) => {
  return commandsOf(definition).map((command) => {
    return { path: command === definition ? command.name : `${definition.name} ${command.name}`, command };
  });
});

function optionsOf(definition: Definition): OptionTable {
  return Object.assign({}, ...commandsOf(definition).map(({ options }) => options), commonOptions);
}

test('every option that a command ever took is there, by the same names and with or without a value', () => {
  for (const [name, { flags, values, repeated }] of Object.entries(acceptedOptions)) {
    const definition = definitions.find((one) => one.name === name);
    assert.ok(definition !== undefined, name);
    const table = optionsOf(definition);
    const seen = (names: string, is: (kind: string) => boolean): void => {
      for (const pair of names.split(' ').filter((one) => one !== '')) {
        const [long = '', short] = pair.split(',');
        const option = table[long];
        assert.ok(option !== undefined && is(option.kind), `${name} --${long}`);
        assert.equal(option.short, short, `${name} --${long}`);
      }
    };
    seen(flags, (kind) => kind === 'flag');
    seen(values, (kind) => kind !== 'flag' && kind !== 'repeated');
    seen(repeated, (kind) => kind === 'repeated');
  }
});

test('every command takes what every command takes, and has no other meaning for it', () => {
  const names = Object.keys(commonOptions);
  const letters = new Set(Object.values<OptionDefinition>(commonOptions).map(({ short }) => short));
  assert.ok(all.length > 50, `${all.length} commands`);
  for (const { path, command } of all) {
    for (const [name, { short }] of Object.entries(command.options)) {
      assert.ok(!names.includes(name), `${path} --${name}`);
      assert.ok(short === undefined || !letters.has(short), `${path} -${short}`);
    }
    for (const option of ['--quiet', '-q', '--verbose'])
      try {
        parseCommand(command, [option]);
      } catch (error) {
        // It lacks what it needs, and is content with that option.
        assert.doesNotMatch(asProxyError(error).message, /no option|quiet|verbose/, path);
      }
  }
});

test('actions of one command agree on what takes a value, and no letter stands for two options', () => {
  for (const definition of definitions) {
    const kinds = new Map<string, boolean>();
    const letters = new Map<string, string>([['h', 'help']]);
    for (const { options } of commandsOf(definition)) {
      for (const [name, { kind, short }] of Object.entries(options)) {
        assert.match(name, /^[a-z][a-z-]*$/);
        assert.notEqual(name, 'help');
        assert.equal(kinds.get(name) ?? kind === 'flag', kind === 'flag', `${definition.name} --${name}`);
        kinds.set(name, kind === 'flag');
        if (short === undefined) continue;
        assert.match(short, /^[a-zA-Z]$/);
        assert.equal(letters.get(short) ?? name, name, `${definition.name} -${short}`);
        letters.set(short, name);
      }
    }
  }
});

test('what lists something has --json, and what has --json says what it lists', () => {
  for (const { path, command } of all)
    assert.equal('json' in command.options, command.lists !== undefined, path);
  const listing = new Set(all.flatMap(({ path, command }) => (command.lists === undefined ? [] : [path])));
  for (const path of [
    'session list',
    'access list',
    'audit tail',
    'doctor',
    'policy check',
    'policy explain',
  ])
    assert.ok(listing.has(path), path);
});

test('every command that people start has an example, and each example is one of its command lines', () => {
  for (const { path, command } of all) {
    if (command.hidden === true) continue;
    assert.ok(command.examples.length > 0, path);
    for (const { line } of command.examples) {
      const [, text = ''] = /upstreamproxy (.*?)(?: >|\)"|' | 2>|$)/.exec(line) ?? [];
      const words = text.split(' ');
      assert.equal(words.slice(0, path.split(' ').length).join(' '), path, line);
      const definition = definitions.find(({ name }) => name === words[0]);
      assert.ok(definition !== undefined);
      if (definition.kind === 'command') parseCommand(definition, words.slice(1));
      else parseGroup(definition, quotedWords(line.replace(/ > .*/, '')).slice(2));
    }
  }
});

/** Words of a command line, with those in quotes as one. */
function quotedWords(line: string): readonly string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, inner, word]) => inner ?? word ?? '');
}

test('texts are one line each, and end where a sentence or a list goes on', () => {
  for (const { path, command } of all) {
    const texts = [
      command.summary,
      ...(command.description ?? []),
      ...command.arguments.map(({ help }) => help),
    ]
      .concat(Object.values(command.options).map(({ help }) => help))
      .concat(command.examples.flatMap(({ line, purpose }) => [line, purpose]));
    for (const text of texts) assert.match(text, /^[^\n]+$/, path);
    for (const { help } of Object.values(command.options)) assert.doesNotMatch(help, /\.$/, path);
  }
});

test('the layers that can be named are layers of the jail', () => {
  assert.ok(namedLayers.every((layer) => jailLayers.includes(layer)));
});
