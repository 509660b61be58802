import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { GuideOutput, parseGuide } from './guide.ts';

const markdown = `Text.

<!-- varies: rskttr4pzu -->

\`\`\`yaml
# policy.yaml
rules: []
\`\`\`

\`\`\`yaml
# not a file, but an example
\`\`\`

<!-- within 5 s -->

\`\`\`console
$ one \\
  two
printed
container$ three
\`\`\`

\`\`\`console
said by the gateway
\`\`\`

<!-- file: settings.json -->

\`\`\`json
{}
\`\`\`
`;

test('a guide is its files and its commands with what they print, in order', () => {
  const { steps, varying } = parseGuide(markdown);
  assert.deepEqual(varying, ['rskttr4pzu']);
  const common = { kind: 'command', runsOn: false };
  assert.deepEqual(steps, [
    { kind: 'file', name: 'policy.yaml', text: '# policy.yaml\nrules: []\n', append: false },
    { ...common, terminal: 'operator', command: 'one \\\n  two', output: ['printed'], withinMs: 5000 },
    { ...common, terminal: 'container', command: 'three', output: [''], withinMs: 5000 },
    { ...common, terminal: 'gateway', command: '', output: ['said by the gateway', ''], withinMs: 0 },
    { kind: 'file', name: 'settings.json', text: '{}\n', append: false },
  ]);
});

describe('what is printed fits what is shown', () => {
  const rows: readonly [name: string, shown: string, printed: string, fits: boolean][] = [
    ['the same', 'good: 3 rules', 'good: 3 rules\n', true],
    ['another number', 'good: 3 rules', 'good: 4 rules', false],
    ['a line more', 'one', 'one\ntwo', false],
    ['a line less', 'one\ntwo', 'one', false],
    ['anything in a line', 'one … three', 'one two three', true],
    ['nothing else in a line', 'one … three', 'one two four', false],
    ['any lines', '…\nlast', 'one\ntwo\nlast', true],
    ['no lines', '…\nlast', 'last', true],
    ['wide columns', 'id  state', 'id           state  ', true],
    ['another time', 'at 2026-01-05T09:00:00Z', 'at 2027-02-06T10:11:12.345Z', true],
    ['no time', 'at 2026-01-05T09:00:00Z', 'at noon', false],
    ['another id', 'id rskttr4pzu', 'id abcdefghjk', true],
    ['two ids for one', 'rskttr4pzu and rskttr4pzu', 'abcdefghjk and mnpqrstuvw', false],
  ];
  for (const [name, shown, printed, fits] of rows)
    test(name, () => {
      const output = new GuideOutput(['rskttr4pzu']);
      assert.equal(output.mismatch(shown.split('\n'), printed) === undefined, fits);
    });
});

test('an id of this run takes the place of the one in the guide', () => {
  const output = new GuideOutput(['rskttr4pzu']);
  assert.equal(output.mismatch(['"id": "rskttr4pzu"'], '"id": "abcdefghjk"'), undefined);
  assert.equal(output.inThisRun('access grant rskttr4pzu'), 'access grant abcdefghjk');
});
