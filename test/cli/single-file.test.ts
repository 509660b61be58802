// The agent as one file against what its runtime would read: arguments and variables that steer Node, OpenSSL and the loader. It is built once.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { imageStage, stageObstacle, wholeOutput } from '../support/image-stage.ts';
import { findTool } from '../support/tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'node_modules/.bin');
const skip =
  process.platform !== 'linux'
    ? 'the file is one for Linux'
    : process.versions['bun'] !== undefined
      ? 'its runtime is Node'
      : findTool('cc') === undefined && 'the attacks need a C compiler';

describe('the single file', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'single-file-test-'));
  const agent = join(folder, 'upstreamproxy-agent');
  const mark = join(folder, 'mark');
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const run = (file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    rmSync(mark, { force: true });
    const { status, stdout, stderr } = spawnSync(file, args, { cwd: folder, env, encoding: 'utf8' });
    return { status, said: stdout + stderr, hasRun: existsSync(mark) };
  };
  before(() => {
    const { status, stderr } = spawnSync(join(bin, 'node'), ['scripts/build-agent.ts', '--out', agent], {
      cwd: root,
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    const source = write(
      'evil.c',
      `#include <stdio.h>
       __attribute__((constructor)) static void run(void) { FILE *f = fopen("${mark}", "w"); if (f) fclose(f); }
       int OSSL_provider_init(void *a, void *b, void **c, void **d) { return 0; }`,
    );
    assert.equal(spawnSync('cc', ['-shared', '-fPIC', '-o', join(folder, 'evil.so'), source]).status, 0);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('takes --env-file for its own option, whether the file is there or not', () => {
    const there = write('there.env', 'NODE_OPTIONS=--no-such-option\n');
    for (const words of [
      ['--env-file', 'new'],
      ['--env-file=new'],
      ['--env-file', there],
      [`--env-file=${there}`],
    ]) {
      const { said } = run(agent, ['agent', ...words]);
      assert.match(said, /name the gateway/, words.join(' '));
    }
    // Node alone takes it from behind a script too.
    const { said } = run(join(bin, 'node'), [write('script.js', ''), '--env-file', 'new']);
    assert.match(said, /not found/);
  });

  test('loads nothing that OPENSSL_CONF names, which Node alone does', () => {
    const config = write(
      'openssl.cnf',
      `nodejs_conf = all
openssl_conf = all
[all]
providers = list
[list]
evil = one
[one]
module = ${join(folder, 'evil.so')}
activate = 1
`,
    );
    const { status, hasRun } = run(agent, ['version'], { OPENSSL_CONF: config });
    assert.deepEqual([status, hasRun], [0, false]);
    assert.ok(run(join(bin, 'node'), ['-e', '0'], { OPENSSL_CONF: config }).hasRun);
  });

  test('reads no option of NODE_OPTIONS, however it is quoted', () => {
    const script = write('evil.cjs', `require('fs').writeFileSync(${JSON.stringify(mark)}, '')`);
    for (const value of [
      `--require ${script}`,
      `--req"uire"=${script}`,
      `"--require=${script}"`,
      `-r ${script}`,
    ]) {
      assert.ok(!run(agent, ['version'], { NODE_OPTIONS: value }).hasRun, value);
      assert.ok(run(join(bin, 'node'), ['-e', '0'], { NODE_OPTIONS: value }).hasRun, value);
    }
  });

  test('refuses an argument that its runtime reads in spite of all', () => {
    const { said, status } = run(agent, ['version', '--experimental-config-file=none.json']);
    assert.notEqual(status, 0);
    assert.match(said, /none\.json|experimental-config-file/);
  });

  test(
    'starts in the last stage of its image, by the commands, the user and the entry point of the recipe',
    { skip: stageObstacle() },
    async () => {
      const place = join(folder, 'image');
      mkdirSync(place);
      const stage = imageStage('agent', { program: agent, place, mounts: [] });
      const words = ['run', '--isolate', 'off', '--gateway', 'https://127.0.0.1:1', '--token-file', '/none'];
      const { code, text } = await wholeOutput(stage.start([...words, '--', 'true']));
      // Of the build, and of what the entry point was told.
      assert.match(text, /^upstreamproxy \d[^]*\/none: it does not exist \[token_unreadable\]\n$/);
      assert.equal(code, 77);
    },
  );
});
