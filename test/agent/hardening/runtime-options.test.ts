import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { inspectEnvironment } from '../../../src/agent/hardening/environment-scrub.ts';
import {
  harmlessBunOptions,
  harmlessNodeOptions,
  optionWords,
} from '../../../src/agent/hardening/runtime-options.ts';

const bin = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));

function optionsOf(file: string, args: readonly string[], pattern: RegExp): readonly string[] {
  const { stdout } = spawnSync(join(bin, file), args, { encoding: 'utf8', env: {} });
  const found = [...stdout.matchAll(pattern)].map(([, name = '']) => name);
  assert.ok(found.length > 20, `${file} tells ${found.length} options`);
  return found;
}

test('each option that Node reads of NODE_OPTIONS is in the table of harmless ones, or refused', () => {
  const script = 'for (const option of process.allowedNodeEnvironmentFlags) console.log(option)';
  const options = optionsOf('node', ['-e', script], /^--?(\S+)$/gm);
  for (const name of options) {
    const isHarmless = harmlessNodeOptions.has(name) || harmlessNodeOptions.has(name.replace(/^no-/, ''));
    const dashes = name.length === 1 ? '-' : '--';
    const { refused } = inspectEnvironment({ NODE_OPTIONS: `${dashes}${name}=x` });
    assert.equal(refused.length, isHarmless ? 0 : 1, name);
  }
  const stale = [...harmlessNodeOptions].filter(
    (name) => !options.includes(name) && !options.includes(`no-${name}`),
  );
  assert.deepEqual(stale, []);
});

test('each option that Bun tells is in the table of harmless ones, or refused', () => {
  const options = optionsOf('bun', ['--help'], /^ +(?:-\w, )?--([a-z0-9.-]+)/gm);
  for (const name of options) {
    const { refused } = inspectEnvironment({ BUN_OPTIONS: `--${name}` });
    const isHarmless = harmlessBunOptions.has(name) || harmlessBunOptions.has(name.replace(/^no-/, ''));
    assert.equal(refused.length, isHarmless ? 0 : 1, name);
  }
  assert.deepEqual(
    [...harmlessBunOptions].filter((name) => !options.includes(name)),
    [],
  );
});

test('words are those of Node, whatever is quoted', () => {
  const values = ['--a "b c" d', '"--title=a b"', '--re"qui"re=x', String.raw`"--title=\"a\\b"`, '  --a  '];
  for (const value of values) {
    const accepted = optionWords(value).every((word) => word.startsWith('--title'));
    if (!accepted) continue;
    const script = 'process.stdout.write(process.title)';
    const { stdout } = spawnSync(join(bin, 'node'), ['-e', script], {
      env: { NODE_OPTIONS: value },
      encoding: 'utf8',
    });
    assert.equal(`--title=${stdout}`, optionWords(value)[0]);
  }
  assert.deepEqual(optionWords('--a "b c" d'), ['--a', 'b c', 'd']);
  assert.deepEqual(optionWords('--re"qui"re=x'), ['--require=x']);
});
