import assert from 'node:assert/strict';
import { test } from 'node:test';

import { markArguments, typedArguments } from '../../../src/cli/terminal/argument-marks.ts';

const awkward = ['run', '--', '--env-file=x', '', '=', '-e', 'a b'];

test('what is marked comes back as it was typed, whatever it is', () => {
  assert.deepEqual(typedArguments(markArguments(awkward, false), false), awkward);
  for (const marked of markArguments(awkward, false)) assert.ok(marked.startsWith('='));
});

test('without marks the program does not start: nobody protected its process', () => {
  assert.throws(() => typedArguments(['=run', '--env-file=x'], false), { code: 'usage' });
});

test('a single executable takes its arguments as they are', () => {
  assert.deepEqual(markArguments(awkward, true), awkward);
  assert.deepEqual(typedArguments(awkward, true), awkward);
});

test('a single executable refuses what its runtime would read among the arguments, and takes it with marks', () => {
  for (const option of [
    '--experimental-config-file=x',
    '--experimental-config-file',
    '--experimental-default-config-file',
  ]) {
    const args = ['run', '--', 'node', option, 'x'];
    assert.throws(() => typedArguments(args, true), {
      code: 'usage',
      message: /own runtime would read --experimental/,
    });
    assert.deepEqual(typedArguments(markArguments(args, false), true), args);
  }
  assert.deepEqual(typedArguments(['run', '--', 'x', '--experimental-config-filex'], true).length, 4);
});
