import assert from 'node:assert/strict';
import { test } from 'node:test';

import { definitions } from '../../../src/cli/commands/definitions.ts';
import type { CommandDefinition } from '../../../src/cli/definition/command-definition.ts';
import { renderReference } from '../../../src/cli/definition/render-reference.ts';
import { assertDocsTable } from '../../protocol/docs-table.ts';

test('the reference of commands is what the definitions say', () => {
  assertDocsTable('commands.md', 'commands', `\n${renderReference(definitions)}\n`);
});

test('what Markdown would take for its own is written so that it shows', () => {
  const definition: CommandDefinition = {
    kind: 'command',
    name: 'x',
    summary: 'a|b <c>',
    arguments: [{ name: 'A', help: 'one|two' }],
    options: { 'y-z': { kind: 'value', placeholder: 'Y', short: 'y', help: 'more' } },
    examples: [],
  };
  const [, , ...parts] = renderReference([definition, { ...definition, name: 'inner', hidden: true }]).split(
    '\n\n',
  );
  assert.equal(
    parts.join('\n\n'),
    [
      '## x',
      'A\\|b &lt;c&gt;.',
      '```sh\nupstreamproxy x [A] [options]\n```',
      '| argument | meaning |\n|---|---|\n| `A` | one\\|two |',
      '| option | meaning |\n|---|---|\n| `-y`, `--y-z Y` | more |',
    ].join('\n\n'),
  );
});
