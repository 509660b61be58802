import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { OptionDefinition } from '../../../src/cli/definition/command-definition.ts';
import { quoted, readOption } from '../../../src/cli/definition/option-value.ts';

const facts = { help: 'what it is', placeholder: 'X' } as const;
const number: OptionDefinition = { ...facts, kind: 'number', min: 0, max: 65_535, otherwise: 7 };
const port: OptionDefinition = { ...facts, kind: 'port', min: 1, words: ['off'] };
const duration: OptionDefinition = { ...facts, kind: 'duration', msMax: 86_400_000 };
const choice: OptionDefinition = {
  ...facts,
  kind: 'choice',
  choices: { sh: 'one', json: 'other' },
  otherwise: 'sh',
};
const list: OptionDefinition = { ...facts, kind: 'list', choices: ['a', 'b'] };

test('a number outside its bounds, with a sign, a fraction or letters is refused', () => {
  assert.equal(readOption('port', number, undefined), 7);
  assert.equal(readOption('port', number, ['65535']), 65_535);
  for (const text of ['65536', '-1', '+1', '1.5', '0x10', '', ' 1', '1e3', '9'.repeat(40)]) {
    assert.throws(
      () => readOption('port', number, [text]),
      { code: 'usage', message: /^--port takes a number from 0 to 65535, not "/ },
      text,
    );
  }
});

test('a port is a number from its least on, or one of its words', () => {
  assert.equal(readOption('relay-port', port, ['off']), 'off');
  assert.equal(readOption('relay-port', port, ['1']), 1);
  assert.equal(readOption('relay-port', port, undefined), undefined);
  for (const text of ['0', '65536', 'on'])
    assert.throws(() => readOption('relay-port', port, [text]), { code: 'usage' }, text);
});

test('a choice is one of its words and what it says otherwise by default', () => {
  assert.equal(readOption('format', choice, undefined), 'sh');
  assert.equal(readOption('format', choice, ['json']), 'json');
  for (const text of ['yaml', 'constructor', ''])
    assert.throws(
      () => readOption('format', choice, [text]),
      { code: 'usage', message: `--format takes sh, json, not "${text}"` },
      text,
    );
});

test('a list is some of its words with commas between, and blanks around them are no fault', () => {
  assert.deepEqual(readOption('layers', list, ['a, b']), ['a', 'b']);
  assert.equal(readOption('layers', list, undefined), undefined);
  assert.throws(() => readOption('layers', list, ['a,c']), { code: 'usage', message: /takes a, b, not "c"/ });
});

test('durations are whole numbers with a unit', () => {
  for (const [text, ms] of [
    ['90s', 90_000],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ] as const)
    assert.equal(readOption('for', duration, [text]), ms);
});

test('everything else is no duration, and so is what is too long', () => {
  for (const text of ['', '15', '0m', '-1m', '1.5h', '1w', '15 m', '1h30m', '99999999s'])
    assert.throws(() => readOption('for', duration, [text]), { code: 'usage', message: /such as 90s/ });
  assert.throws(() => readOption('for', duration, ['25h']), { code: 'usage', message: /at most 86400s/ });
});

test('of an option that is given twice the last one holds, but for those that may be repeated', () => {
  assert.equal(readOption('x', { ...facts, kind: 'value' }, ['1', '2']), '2');
  assert.deepEqual(readOption('x', { ...facts, kind: 'repeated', each: 'text' }, ['1', '2']), ['1', '2']);
  assert.equal(readOption('x', { help: 'x', kind: 'flag' }, true), true);
  assert.equal(readOption('x', { help: 'x', kind: 'flag' }, undefined), false);
});

test('a text of any length stands in a message with its beginning', () => {
  assert.equal(quoted('abc'), '"abc"');
  assert.ok(quoted('x'.repeat(10_000)).length < 200);
});
