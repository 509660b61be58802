import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { type SchemaNode, type Suggested, suggestAt } from '../../../src/console/model/schema-completion.ts';

const file = new URL('../../../schema/policy.schema.json', import.meta.url);
const schema = JSON.parse(readFileSync(file, 'utf8')) as SchemaNode;

/** The cursor is where `|` stands. */
function suggested(text: string, names?: Readonly<Record<string, readonly string[]>>): Suggested | undefined {
  const cursor = text.indexOf('|');
  const before = text.slice(0, cursor).split('\n');
  const lines = (text.slice(0, cursor) + text.slice(cursor + 1)).split('\n');
  return suggestAt({
    schema,
    lines: { count: lines.length, line: (at) => lines[at] ?? '' },
    row: before.length - 1,
    column: before.at(-1)!.length,
    ...(names === undefined ? {} : { names }),
  });
}

function labels(text: string, names?: Readonly<Record<string, readonly string[]>>): readonly string[] {
  return suggested(text, names)?.items.map(({ label }) => label) ?? [];
}

describe('keys are those of the place', () => {
  const ruleKeys = ['hosts', 'methods', 'paths', 'git', 'deny', 'inject'];
  const places: readonly [string, string, readonly string[], readonly string[]][] = [
    ['the top of a file', '|', ['version', 'rules', 'groups', 'mode'], ['hosts', 'name']],
    ['the top below a rule', 'rules:\n  - name: a\n    hosts: x\n|', ['groups'], ['rules', 'methods']],
    ['the first key of a rule', 'rules:\n  - |', ['name', ...ruleKeys], ['rules']],
    ['a rule whose dash is not indented', 'rules:\n- name: a\n  |', ruleKeys, ['name', 'rules']],
    ['a rule', 'rules:\n  - name: a\n    hosts: x\n    |', ['methods'], ['name', 'hosts', 'rules']],
    ['a rule before others', 'rules:\n  - name: a\n    |\n  - name: b\n    paths: /x', ['paths'], ['name']],
    [
      'keys that follow',
      'rules:\n  - name: a\n    m|\n    paths: /x\n\n    deny: x',
      ['methods'],
      ['paths', 'deny'],
    ],
    [
      'a list that is over',
      'rules:\n  - hosts:\n      - a\n      - b\n    |',
      ['name', 'paths'],
      ['hosts', 'repository'],
    ],
    ['a map in a rule', 'rules:\n  - name: a\n    git:\n      |', ['repository', 'operations'], ['hosts']],
    ['a map behind a dash', 'rules:\n  - git:\n      refs: x\n      |', ['repository'], ['refs', 'hosts']],
    ['a map in braces', 'rules:\n  - name: a\n    git: { refs: [main], |', ['repository'], ['refs', 'hosts']],
    [
      'behind comments and empty lines',
      'rules:\n  # one\n\n  - name: a\n# two\n\n    |',
      ['hosts'],
      ['name'],
    ],
    ['a group by whatever name', 'groups:\n  docs:\n    |', ['hosts', 'discover'], ['rules']],
    ['within braces in a list', 'rules: [{ name: a, |', ['hosts'], ['name', 'rules']],
  ];
  for (const [name, text, there, absent] of places)
    test(name, () => {
      const found = labels(text);
      for (const one of there) assert.ok(found.includes(one), `${one} in ${found.join()}`);
      for (const one of absent) assert.ok(!found.includes(one), `no ${one} in ${found.join()}`);
    });
});

describe('values are those of the key', () => {
  const places: readonly [string, string, readonly string[]][] = [
    ['a word', 'mode: |', ['enforce', 'observe']],
    ['one that is being written', 'mode: enf|', ['enforce', 'observe']],
    ['one of a list or a word', 'rules:\n  - scheme: |', ['https', 'http', 'tcp', 'udp']],
    ['in brackets', 'rules:\n  - scheme: [https, |', ['https', 'http', 'tcp', 'udp']],
    ['behind a dash', 'rules:\n  - name: a\n    scheme:\n      - |', ['https', 'http', 'tcp', 'udp']],
    ['in a map in braces', 'rules:\n  - git: { operations: |', ['fetch', 'push']],
    ['in a list of a map in braces', 'rules:\n  - git: { operations: [|', ['fetch', 'push']],
    [
      'behind a map in braces',
      'rules:\n  - git: { operations: [fetch] }\n    scheme: |',
      ['https', 'http', 'tcp', 'udp'],
    ],
    ['what only can be true', 'rules:\n  - dangerouslyAllowWideHosts: |', ['true']],
    ['nothing is known of a text', 'rules:\n  - hosts: |', []],
    ['in quotes', "rules:\n  - scheme: 'h|", []],
    ['in a comment', 'mode: # |', []],
    ['right behind the colon', 'mode:|', []],
    ['of a key that is not there', 'nothing: |', []],
    ['of what every object has', 'rules:\n  - constructor: |', []],
  ];
  for (const [name, text, all] of places) test(name, () => assert.deepEqual(labels(text), all));

  test('names that only the gateway knows', () => {
    const names = { inject: ['api-token'] };
    assert.deepEqual(labels('rules:\n  - inject: |', names), ['api-token']);
    assert.deepEqual(labels('rules:\n  - inject: [a, a|', names), ['api-token']);
    assert.deepEqual(labels('rules:\n  - inject:\n      - |', names), ['api-token']);
    assert.deepEqual(labels('rules:\n  - hosts: |', names), []);
  });
});

test('a key that holds a map or a list of maps opens the next line', () => {
  const text = (place: string, key: string): string | undefined =>
    suggested(place)?.items.find(({ label }) => label === key)?.text;
  assert.equal(text('|', 'rules'), 'rules:\n  - ');
  assert.equal(text('rules:\n  - |', 'git'), 'git:\n      ');
  assert.equal(text('rules:\n  - |', 'hosts'), 'hosts: ');
  assert.equal(text('rules:\n  - { |', 'git'), 'git: ');
});

test('the word that is written is what is replaced', () => {
  assert.equal(suggested('rules:\n  - hos|')?.from, 4);
  assert.equal(suggested('rules:\n  - git: { operations: [fetch, pu|')?.from, 31);
});

test('a key of the policy says what it is for', () => {
  const hosts = suggested('rules:\n  - |')?.items.find(({ label }) => label === 'hosts');
  assert.match(hosts?.info ?? '', /^Exact names/);
});

test('a keystroke looks at so many lines at most, and no line breaks it', () => {
  const many = Array.from({ length: 50_000 }, (_, at) => `      - host-${at}.example.com`);
  let looked = 0;
  const row = 40_000;
  const lines = {
    count: many.length,
    line: (at: number) => {
      looked += 1;
      return many[at] ?? '';
    },
  };
  suggestAt({ schema, lines, row, column: 8 });
  assert.ok(looked < 10_000, `${looked}`);
  for (const odd of ['- '.repeat(3000), '[{'.repeat(3000), '{a:'.repeat(3000), '\t: ,]}', '}'.repeat(50)])
    suggested(`rules:\n  - git: ${odd}|`);
  for (const odd of ['- '.repeat(3000), ' '.repeat(3000)]) suggested(`${odd}|`);
});
