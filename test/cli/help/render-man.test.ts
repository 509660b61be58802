// Pages for man(1): what troff makes of them is what the definitions say.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { definitions } from '../../../src/cli/commands/definitions.ts';
import type { CommandDefinition } from '../../../src/cli/definition/command-definition.ts';
import { isHidden, optionFacts } from '../../../src/cli/definition/option-facts.ts';
import { renderMan } from '../../../src/cli/help/render-man.ts';

const pages = renderMan({ name: 'upstreamproxy', definitions }, '1.2.3');
const hasGroff = spawnSync('groff', ['--version']).status === 0;
const skip = hasGroff ? false : 'no groff here';

/** As a terminal shows it, without bold and without the breaks of its lines; and what troff complains of. */
function shown(text: string): { readonly words: string; readonly complaints: string } {
  const { stdout, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-P-cbou', '-rLL=400n', '-rHY=0'], {
    input: text,
    encoding: 'utf8',
  });
  return { words: stdout.replaceAll(/\s+/g, ' '), complaints: stderr };
}

const squeezed = (text: string): string => text.replaceAll(/\s+/g, ' ');

test('there is a page for the program and one for each command that people start', () => {
  const commands = definitions.filter((definition) => !isHidden(definition));
  assert.deepEqual(
    pages.map(({ file }) => file),
    ['upstreamproxy.1', ...commands.map(({ name }) => `upstreamproxy-${name}.1`)],
  );
});

test('troff complains of no page, and each has all that the definition says', { skip }, () => {
  for (const definition of definitions) {
    if (isHidden(definition)) continue;
    const page = pages.find(({ file }) => file === `upstreamproxy-${definition.name}.1`);
    const { words, complaints } = shown(page?.text ?? '');
    assert.equal(complaints, '', definition.name);
    for (const command of definition.kind === 'command' ? [definition] : definition.actions) {
      const texts = [
        ...(command.description ?? [command.summary]),
        ...Object.values(command.options).map(optionFacts),
        ...command.examples.flatMap(({ line, purpose }) => [line, purpose]),
      ];
      for (const text of texts) assert.ok(words.includes(squeezed(text)), `${definition.name}: ${text}`);
    }
  }
});

test('no sign of a text acts on troff', { skip }, () => {
  const hostile = [
    `.so /etc/passwd`,
    `'br`,
    String.raw`\*[x] \n(xx \fBbold`,
    `"quoted" it's -- ~user ^x \`y\` …`,
  ];
  const command: CommandDefinition = {
    kind: 'command',
    name: 'x',
    summary: 'does it',
    description: hostile,
    arguments: [],
    options: {},
    examples: hostile.map((line) => ({ line, purpose: line })),
  };
  const [, page] = renderMan({ name: 'upstreamproxy', definitions: [command] }, '1');
  const { words, complaints } = shown(page?.text ?? '');
  assert.equal(complaints, '');
  for (const text of hostile) assert.ok(words.includes(text), `${text}\n${words}`);
});
