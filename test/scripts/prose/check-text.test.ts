// Each rule for prose finds what it is for, and lets what is right pass.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { audienceOf, checkText } from '../../../scripts/prose/check-text.ts';
import { rules } from '../../../scripts/prose/rules.ts';
import { assertDocsTable, markdownTable } from '../../protocol/docs-table.ts';

const guide = 'docs/guides/some-guide.md';
const words = (count: number): string =>
  Array.from({ length: count }, (_, index) => `word${index}`).join(' ');

/** Names of the rules that a text in a document breaks. */
function broken(body: string, file = guide): readonly string[] {
  return checkText(file, `# Title\n\n${body}\n`).map(({ rule }) => rule);
}

interface Case {
  readonly rule: string;
  readonly bad: string;
  readonly good: string;
}

const cases: readonly Case[] = [
  { rule: 'sentence-length', bad: `${words(31)}.`, good: `${words(30)}. ${words(30)}.` },
  { rule: 'sentence-length', bad: `- ${words(31)}.`, good: `- ${words(20)}.\n- ${words(20)}.` },
  {
    rule: 'sentence-length',
    bad: `| a | b |\n|---|---|\n| ${words(31)} | x |`,
    good: `| a | b |\n|---|---|\n| ${words(29)} | ${words(29)} |`,
  },
  {
    rule: 'passive',
    bad: 'Each command is run by a test.',
    good: 'A test runs each command. The port is chosen by default.',
  },
  {
    rule: 'passive',
    bad: 'The file was never read by the gateway.',
    good: 'The gateway never read the file. It is done by hand.',
  },
  {
    rule: 'subject',
    bad: 'What outlives a process is in the store.',
    good: 'What is it? The store outlives a process.',
  },
  { rule: 'subject', bad: 'Who has the key reads it.', good: 'Whoever has the key reads it. Who has it?' },
  {
    rule: 'no-noun',
    bad: 'A placeholder is no secret.',
    good: 'A placeholder is not a secret. There is no secret. It is no longer there.',
  },
  {
    rule: 'own',
    bad: 'One of its own, of its own, of its own and of their own.',
    good: 'One of its own, of its own and of our own.',
  },
  { rule: 'plain-word', bad: 'We utilize a relay.', good: 'We use a relay.' },
  { rule: 'plain-word', bad: 'A host, e.g. this one.', good: 'A host, for example this one.' },
  { rule: 'stumbling', bad: 'Rules such as has the file.', good: 'Rules such as those of the file.' },
  { rule: 'stumbling', bad: 'A page for who has it.', good: 'A page for anyone who has it.' },
  { rule: 'stumbling', bad: 'It would else be lost.', good: 'Otherwise it would be lost.' },
  { rule: 'name', bad: 'A job on Github.', good: 'A job on GitHub, and `github`, and github.com/x.' },
  { rule: 'name', bad: 'The url of the api.', good: 'The URL of the API.' },
  { rule: 'doubled-word', bad: 'This is the the relay.', good: 'This is the relay. `a` `a`' },
  { rule: 'doubled-word', bad: 'This is the\nthe relay.', good: 'He had had it.' },
  {
    rule: 'article',
    bad: 'An gateway and a agent.',
    good: 'A gateway, an agent, a URL, an HTTP proxy, a user, an hour.',
  },
  { rule: 'heading-case', bad: '## The First Steps', good: '## The first steps with GitHub: A start' },
  { rule: 'heading-order', bad: '### Too deep', good: '## Deep enough\n\n### Deeper' },
  { rule: 'heading-order', bad: '# A second title', good: '## No title' },
  { rule: 'link-text', bad: 'See [here](a.md).', good: 'See [the guide](a.md).' },
  {
    rule: 'link-text',
    bad: 'See [audit.md](audit.md).',
    good: 'See [the audit](audit.md) and [README.md](README.md).',
  },
  { rule: 'link-text', bad: '![](a.png)', good: '![The view of a session](a.png)' },
  {
    rule: 'table-head',
    bad: '| | two |\n|---|---|\n| x | y |',
    good: '| one | two |\n|---|---|\n| x | |',
  },
  { rule: 'fence-language', bad: '```\nx\n```', good: '```text\nx\n```' },
  {
    rule: 'abbreviation',
    bad: 'The QBZ decides.',
    good: 'A module of the kernel (QBZ) decides. The QBZ does, and DNS.',
  },
];

describe('rules for prose', () => {
  for (const { rule, bad, good } of cases)
    test(`${rule} finds ${JSON.stringify(bad.slice(0, 50))} and no more`, () => {
      assert.deepEqual([...new Set(broken(bad))], [rule]);
      assert.deepEqual(broken(good), []);
    });

  test('each rule has a case', () => {
    const seen = new Set(cases.map(({ rule }) => rule));
    assert.deepEqual(
      rules.map(({ name }) => name).filter((name) => !seen.has(name)),
      [],
    );
  });
});

test('CONTRIBUTING.md says what each rule says', () => {
  const rows = rules.map(({ name, says }) => [`\`${name}\``, says]);
  assertDocsTable('../../CONTRIBUTING.md', 'prose', markdownTable(['rule', 'says'], rows));
});

test('a finding names file, line, column, and what to write', () => {
  const text = '# Title\n\nA line.\nWe *also*\n  utilize `x`.\n';
  assert.deepEqual(checkText('README.md', text), [
    { file: 'README.md', line: 5, column: 3, rule: 'plain-word', message: '"utilize": write use' },
  ]);
});

test('places are right behind escapes, code and indentation', () => {
  const text = '# Title\n\n- One \\* `code span` and\n  [a link](x.md) we utilize.\n';
  const [found] = checkText('README.md', text);
  assert.deepEqual([found?.line, found?.column], [4, 21]);
});

test('code, comments and blocks of code are not prose', () => {
  assert.deepEqual(broken('`we utilize` <!-- we utilize -->\n\n```sh\nutilize utilize\n```'), []);
});

test('longer sentences may stand in references, and most rules of style hold for guides alone', () => {
  assert.deepEqual(broken(`${words(35)}.`, 'docs/reference/limits.md'), []);
  assert.deepEqual(broken(`${words(36)}.`, 'docs/reference/limits.md'), ['sentence-length']);
  assert.deepEqual(broken(`${words(60)}.`, 'docs/decisions/drain.md'), []);
  assert.deepEqual(broken('It is read by the gateway.', 'docs/reference/limits.md'), []);
});

test('a comment with a reason lets one rule pass for one block, and has to be needed', () => {
  const allow = '<!-- prose: plain-word, because it is quoted -->';
  assert.deepEqual(broken(`${allow}\n\nWe utilize it.`), []);
  assert.deepEqual(broken(`${allow}\n\nWe utilize it.\n\nWe utilize it.`), ['plain-word']);
  assert.deepEqual(broken(`${allow}\n\nWe use it.`), ['unused-allowance']);
  assert.deepEqual(broken('<!-- prose: plain-word -->\n\nWe utilize it.'), ['plain-word']);
});

test('sentences of the program are read from its source, with their places', () => {
  const source =
    "export const a = 'We utilize a relay here.';\nconst b = `The the relay is ${a} here now.`;\nconst c = 'utilize';\n";
  assert.deepEqual(
    checkText('src/protocol/error-advice.ts', source).map(({ line, column, rule }) => [line, column, rule]),
    [
      [1, 22, 'plain-word'],
      [2, 12, 'doubled-word'],
    ],
  );
});

test('who reads a file follows from its path', () => {
  assert.equal(audienceOf('docs/faq.md'), 'task');
  assert.equal(audienceOf('docs/reference/audit.md'), 'reference');
  assert.equal(audienceOf('docs/decisions/cel.md'), 'source');
  assert.equal(audienceOf('src/net/dialer.ts'), undefined);
});
