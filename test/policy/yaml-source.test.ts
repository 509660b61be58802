import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { printPath, readYaml, strictMap } from '../../src/policy/yaml-source.ts';

const schema = strictMap(
  {
    name: z.string({ error: 'write a name' }),
    list: z
      .array(strictMap({ a: z.int({ error: 'write a number' }) }, { hint: 'write { a: 1 }' }))
      .optional(),
    pick: z
      .union([z.string(), z.array(z.string({ error: 'write text' }))], { error: 'write text or a list' })
      .optional(),
  },
  { hint: 'write a map' },
);
const read = (text: string, showText = false) => readYaml({ file: 'f', text }, schema, { showText });
const lines = (text: string, showText = false): readonly string[] => {
  const result = read(text, showText);
  return 'problems' in result
    ? result.problems.map(({ line, column, message }) => `${line}:${column} ${message}`)
    : [];
};

test('a sound text gives its value and the place of each part', () => {
  const result = read('name: x\nlist:\n  - a: 1\n  - a: 2\n');
  assert.ok('value' in result);
  assert.deepEqual(result.value, { name: 'x', list: [{ a: 1 }, { a: 2 }] });
  assert.deepEqual(result.locate(['list', 1, 'a']), { line: 4, column: 8 });
  assert.deepEqual(result.locate(['list', 1, 'a'], 'key'), { line: 4, column: 5 });
  assert.deepEqual(result.locate(['list', 9, 'a']), { line: 3, column: 3 });
  assert.deepEqual(result.locate(['absent']), { line: 1, column: 1 });
});

test('each unknown key is reported at its own place', () => {
  assert.deepEqual(lines('name: x\nlsit: []\nfoo: 1\n'), [
    '2:1 unknown key "lsit"; write "list"',
    '3:1 unknown key "foo"; the keys here are name, list, pick',
  ]);
});

test('of several forms, the one that was meant is told', () => {
  assert.deepEqual(lines('name: x\npick: [a, 5]'), ['2:11 "pick[1]" is 5; write text']);
  assert.deepEqual(lines('name: x\npick: 5'), ['2:7 "pick" is 5; write text or a list']);
});

test('text is quoted only where no secret can stand', () => {
  const text = 'name: x\nlist: hunter2\n';
  assert.doesNotMatch(lines(text).join(), /hunter2/);
  assert.match(lines(text, true).join(), /"hunter2"/);
});

test('keys with a meaning to the runtime are unknown keys like others', () => {
  assert.deepEqual(lines('name: x\nconstructor: 1'), [
    '2:1 unknown key "constructor"; the keys here are name, list, pick',
  ]);
  const [line] = lines('name: x\n__proto__: { a: 1 }');
  assert.match(line ?? '', /unknown key "__proto__"/);
});

test('hostile nesting ends in a problem, not in a fault', () => {
  for (const text of ['['.repeat(10_000), '{a: '.repeat(5000), '- '.repeat(5000), '? '.repeat(5000)]) {
    assert.ok(lines(text).length > 0);
  }
});

test('a path is printed as people write it', () => {
  assert.equal(printPath(['rules', 2, 'hosts', 0]), 'rules[2].hosts[0]');
});
