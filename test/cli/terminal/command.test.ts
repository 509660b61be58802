import assert from 'node:assert/strict';
import { test } from 'node:test';

import { choiceOption, numberOption, parseOptions } from '../../../src/cli/terminal/command.ts';
import { ProxyError } from '../../../src/protocol/error.ts';

const isUsage = (text: RegExp) => (error: unknown) =>
  error instanceof ProxyError &&
  error.code === 'usage' &&
  text.test(error.message) &&
  !error.message.includes('\n');

test('an unknown option is a usage error of one line that says where to look', () => {
  assert.throws(() => parseOptions('run', ['--nope'], {}), isUsage(/--nope.*upstreamproxy help run$/));
  assert.throws(() => parseOptions('run', ['--policy'], { policy: { type: 'string' } }), isUsage(/policy/));
});

test('options and positional arguments are told apart', () => {
  const { values, positionals } = parseOptions('x', ['--a', '1', 'b'], { a: { type: 'string' } });
  assert.equal(values.a, '1');
  assert.deepEqual(positionals, ['b']);
});

test('a number outside its bounds, with a sign, a fraction or letters is refused', () => {
  const bounds = { min: 0, max: 65_535, otherwise: 7 };
  assert.equal(numberOption('port', undefined, bounds), 7);
  assert.equal(numberOption('port', '65535', bounds), 65_535);
  for (const text of ['65536', '-1', '+1', '1.5', '0x10', '', ' 1', '1e3', '9'.repeat(40)]) {
    assert.throws(
      () => numberOption('port', text, bounds),
      isUsage(/--port takes a number from 0 to 65535/),
      text,
    );
  }
});

test('a choice is one of its words and the first by default', () => {
  assert.equal(choiceOption('format', undefined, ['sh', 'json']), 'sh');
  assert.equal(choiceOption('format', 'json', ['sh', 'json']), 'json');
  assert.throws(() => choiceOption('format', 'yaml', ['sh', 'json']), isUsage(/sh, json, not "yaml"/));
});
