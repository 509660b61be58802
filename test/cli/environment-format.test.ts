import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatEnvironment } from '../../src/cli/environment-format.ts';
import { mustRun } from '../support/command.ts';

const awkward = {
  PLAIN: 'a',
  SPACES: 'a b',
  QUOTES: `it's "so"`,
  DOLLAR: '$HOME `id` \\',
  EMPTY: '',
  LINES: 'a\nb',
};

test('a shell that evaluates the sh form has the very values', async () => {
  const script = `${formatEnvironment(awkward, 'sh')}exec env -0`;
  const output = await mustRun('sh', ['-c', script], { env: { PATH: process.env['PATH'] } });
  const seen = new Map(
    output
      .split('\0')
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
  for (const [name, value] of Object.entries(awkward)) assert.equal(seen.get(name), value, name);
});

test('the json form is the environment as an object', () => {
  assert.deepEqual(JSON.parse(formatEnvironment(awkward, 'json')), awkward);
});

test('the dotenv form has a line a variable', () => {
  assert.equal(formatEnvironment({ A: '1', B: 'x y' }, 'dotenv'), 'A=1\nB=x y\n');
});
