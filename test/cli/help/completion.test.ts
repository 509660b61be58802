// Completion in the shells themselves: what each offers is what the definitions say.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { definitions } from '../../../src/cli/commands/definitions.ts';
import { bashCompletion } from '../../../src/cli/help/bash-completion.ts';
import { completionPlaces, type Place, type Values } from '../../../src/cli/help/completion-places.ts';
import { fishCompletion } from '../../../src/cli/help/fish-completion.ts';
import { powerShellCompletion } from '../../../src/cli/help/power-shell-completion.ts';
import { zshCompletion } from '../../../src/cli/help/zsh-completion.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { askBash, askFish, askZsh, type Line, type Offered } from './fixture.ts';

const name = 'upstreamproxy';
const places = completionPlaces({ name, definitions });

interface Asked {
  readonly line: Line;
  readonly words: readonly string[];
}

const wordsOf = (values: Values): readonly string[] =>
  values.kind === 'words' ? values.words.map(([word]) => word) : [];

/** Lines of every place: what comes next, which options there are, and the values of each option that has a few. */
function linesOf({ path, words, options, operands }: Place): readonly Asked[] {
  const before = [name, ...path.split(' ').filter((word) => word !== '')];
  const next = [...words.map(([word]) => word), ...wordsOf(operands)];
  return [
    ...(next.length === 0 ? [] : [{ line: [...before, ''], words: next }]),
    ...(options.length === 0
      ? []
      : [{ line: [...before, '--'], words: options.map((option) => `--${option.name}`) }]),
    ...options.flatMap((option) => {
      const known = option.values === undefined ? [] : wordsOf(option.values);
      return known.length === 0 ? [] : [{ line: [...before, `--${option.name}`, ''], words: known }];
    }),
  ];
}

const asked = places.flatMap(linesOf);

const more: readonly Asked[] = [
  { line: [name, 'session', '--config', 'list', 'rev'], words: ['revoke'] },
  { line: [name, 'explain', 'policy_d'], words: ['policy_denied'] },
  { line: [name, 'run', '--policy', 'agent', '--tls-ends-in', 'ga'], words: ['gateway'] },
  { line: [name, 'no-such-command', ''], words: [] },
];

const shells: readonly {
  readonly shell: string;
  readonly ask: (lines: readonly Line[], folder: string) => Promise<Offered>;
}[] = [
  { shell: 'bash', ask: (lines) => askBash(bashCompletion(name, places), lines) },
  { shell: 'zsh', ask: (lines, folder) => askZsh(zshCompletion(name, places), lines, folder) },
  { shell: 'fish', ask: (lines, folder) => askFish(fishCompletion(name, places), lines, folder) },
];

for (const { shell, ask } of shells) {
  const isThere = spawnSync(shell, ['--version']).status === 0;
  test(
    `${shell} offers what the definitions say`,
    { skip: isThere ? false : `no ${shell} here` },
    async () => {
      await using folder = await temporaryDirectory();
      const all = [...asked, ...more];
      assert.ok(all.length > 60, `${all.length} lines`);
      const offered = await ask(
        all.map(({ line }) => line),
        folder.path,
      );
      const wrong = all.flatMap(({ line, words }, at) => {
        const [found, expected] = [offered[at] ?? [], [...new Set(words)].toSorted()];
        return found.join() === expected.join() ? [] : [`${line.join(' ')}: ${found.join(' ')}`];
      });
      assert.deepEqual(wrong, []);
    },
  );
}

test('the script for PowerShell has every place with its options, quoted as that shell does', () => {
  const script = powerShellCompletion(name, places);
  for (const { path, options } of places) {
    const line = script.split('\n').find((one) => one.startsWith(`    '${path}' = @{`)) ?? '';
    for (const option of options) assert.ok(line.includes(`'--${option.name}'`), `${path} --${option.name}`);
    // Every quote is one of a pair.
    assert.equal(line.split("'").length % 2, 1, line);
  }
});
