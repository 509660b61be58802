import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseEnv } from 'node:util';

import { without } from '../../../src/cli/agent/env.ts';
import { formatEnvironment } from '../../../src/cli/agent/environment-format.ts';
import { mustRun } from '../../support/command.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

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
  const seen = variablesOf(output);
  for (const [name, value] of Object.entries(awkward)) assert.equal(seen.get(name), value, name);
});

test('the json form is the environment as an object', () => {
  assert.deepEqual(JSON.parse(formatEnvironment(awkward, 'json')), awkward);
});

test('fish that sources the fish form has the very values', async (context) => {
  if (spawnSync('fish', ['--version']).error !== undefined) return context.skip('fish is not installed');
  const paths = { LIST_PATH: ':/a:/b', HGRCPATH: '/x:~/y' };
  const script = `${formatEnvironment({ ...awkward, ...paths }, 'fish')}env -0`;
  // It makes folders in its home, whichever that is.
  const output = await withTemporaryDirectory((HOME) =>
    mustRun('fish', ['--no-config', '-c', script], { env: { PATH: process.env['PATH'], HOME } }),
  );
  const seen = variablesOf(output);
  for (const [name, value] of Object.entries({ ...awkward, ...paths }))
    assert.equal(seen.get(name), value, name);
});

/** As the environment of this project has them: options with quotes, bars and blanks. */
const usual = {
  NODE_OPTIONS: '--max-old-space-size=99 --require="/a b/hook.cjs"',
  JAVA_TOOL_OPTIONS: '-Dhttp.nonProxyHosts=localhost|127.0.0.1|[::1] -Dx=$HOME#1',
  HASH: 'a#b',
  QUOTE: "it's",
  EMPTY: '',
};

test('Node reads the very values from the dotenv form', async () => {
  await withTemporaryDirectory(async (folder) => {
    const file = join(folder, '.env');
    writeFileSync(file, formatEnvironment(usual, 'dotenv'));
    const { NODE_OPTIONS: _, ...rest } = usual;
    assert.deepEqual({ ...parseEnv(readFileSync(file, 'utf8')) }, usual);
    const output = await mustRun(
      process.execPath,
      [`--env-file=${file}`, '-p', 'JSON.stringify(process.env)'],
      {
        // It has no say where the variable is set already, and the hook of the example is not there.
        env: { NODE_OPTIONS: '' },
      },
    );
    const seen = JSON.parse(output) as Record<string, string>;
    for (const [name, value] of Object.entries(rest)) assert.equal(seen[name], value, name);
  });
});

test('the docker form is raw, and refuses what it cannot say', () => {
  assert.equal(formatEnvironment({ A: '1', B: 'x "y" $z', E: '' }, 'docker'), 'A=1\nB=x "y" $z\nE=\n');
  assert.throws(() => formatEnvironment({ A: 'a\nb' }, 'docker'), {
    code: 'usage',
    message: /A cannot be said/,
  });
  assert.throws(() => formatEnvironment({ A: `'"` }, 'dotenv'), { code: 'usage' });
});

test('the github form holds every value between lines that nobody can know, and leaves NODE_OPTIONS out', () => {
  const text = formatEnvironment({ ...awkward, NODE_OPTIONS: 'x', ATTACK: 'a\nend-\nEVIL=1' }, 'github');
  const seen = new Map<string, string>();
  const ends = new Set<string>();
  const lines = text.split('\n');
  while (lines.length > 1) {
    const [name = '', end = ''] = lines.shift()!.split('<<');
    const length = lines.indexOf(end);
    assert.ok(length > 0);
    seen.set(
      name,
      lines
        .splice(0, length + 1)
        .slice(0, -1)
        .join('\n'),
    );
    ends.add(end);
  }
  assert.deepEqual(Object.fromEntries(seen), { ...awkward, ATTACK: 'a\nend-\nEVIL=1' });
  assert.equal(ends.size, seen.size);
});

test('a variable can be left out, and one that is not there is a slip', () => {
  assert.deepEqual(without({ A: '1', B: '2' }, ['A']), { B: '2' });
  assert.throws(() => without({ A: '1' }, ['C']), { code: 'usage', message: /--without C/ });
});

function variablesOf(output: string): Map<string, string> {
  return new Map(
    output
      .split('\0')
      .map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
}
