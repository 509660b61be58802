// Commands of `run`, in their jail, at a terminal and in pipes: as they are without it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { launcher } from '../support/program.ts';
import { environmentIn, play } from '../support/terminal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';

const run = [launcher, 'run', '-q', '--'];
const ctrl = { c: '\x03', z: '\x1a' };
/** Bash turns bracketed paste on when it begins to read a line. */
const readsLine = '\x1b[?2004h';

describe('at a terminal', { skip: skipWithout('python3', 'bash') }, () => {
  test('a command hears of the window’s size, at first and when it changes', async () => {
    const script = 'trap "stty size; exit 4" WINCH; stty size; echo READY; while :; do sleep 0.05; done';
    const end = await play(
      [...run, 'sh', '-c', script],
      [{ wait: '24 80' }, { wait: 'READY' }, { size: [40, 100] }, { wait: '40 100' }],
    );
    assert.equal(end.code, 4);
  });

  test('Ctrl-C is the command’s, and its exit code is kept', async () => {
    const script = 'trap "echo CAUGHT; exit 5" INT; echo READY; while :; do sleep 0.05; done';
    const end = await play(
      [...run, 'sh', '-c', script],
      [{ wait: 'READY' }, { type: ctrl.c }, { wait: 'CAUGHT' }],
    );
    assert.equal(end.code, 5);
  });

  test(
    'Ctrl-Z stops the command and gives the shell outside its terminal back, fg goes on',
    { skip: skipWithout('perl') },
    async () => {
      // Nothing reads the terminal when it stops. A read that is stopped late would take the first character meant for the shell, as without `run`.
      const script =
        '$|=1; $SIG{CONT}=sub {$on=1}; print "REA"."DY\\n"; sleep 1 until $on; print "got <", <STDIN>=~s/\\n//r, ">\\n"';
      const line = `${run.join(' ')} perl -e '${script}'\r`;
      const end = await play(
        ['bash', '--norc', '--noprofile', '-i'],
        [
          { type: line },
          { wait: 'READY\r\n' },
          { type: ctrl.z },
          { wait: 'Stopped' },
          // The shell reads a line again; before, it may drop what is typed.
          { wait: readsLine },
          // The quotes keep the echo of what is typed from being taken for its effect.
          { type: `echo out''side; fg\r` },
          { wait: 'outside\r\n' },
          { type: 'hello\r' },
          { wait: 'got <hello>' },
          { type: 'exit 6\r' },
        ],
      );
      assert.equal(end.code, 6);
    },
  );

  test('a shell in the jail has job control of its own', { skip: skipWithout('perl') }, async () => {
    const end = await play(
      [...run, 'bash', '--norc', '--noprofile', '-i'],
      [
        // It says itself that it goes on: by then the terminal is its own, and Ctrl-C does not meet the shell.
        // One process: a shell waits for a program in vfork(2), and a stop in that moment would hold both for ever.
        {
          type: `perl -e '$|=1; $SIG{CONT}=sub {print "AG"."AIN\\n"}; print "REA"."DY\\n"; sleep 1 while 1'\r`,
        },
        { wait: 'READY\r\n' },
        { type: ctrl.z },
        { wait: 'Stopped' },
        { type: 'jobs; fg\r' },
        { wait: 'sleep 1 while' },
        { wait: 'AGAIN\r\n' },
        { type: ctrl.c },
        { type: 'echo code=$?; exit 7\r' },
        { wait: 'code=130' },
      ],
    );
    assert.equal(end.code, 7);
    assert.doesNotMatch(end.output, /no job control|cannot set terminal/);
  });

  test('an editor edits and saves', { skip: skipWithout('vi') }, async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'text');
    const end = await play(
      [...run, 'vi', '-u', 'NONE', file],
      [{ wait: 'text' }, { type: 'ihello from the jail\x1b' }, { wait: 'jail' }, { type: ':wq\r' }],
    );
    assert.equal(end.code, 0);
    assert.equal(readFileSync(file, 'utf8'), 'hello from the jail\n');
  });
});

describe('without a terminal', () => {
  test('pipes on both sides carry their bytes and their end', async () => {
    await using directory = await temporaryDirectory();
    const input = Buffer.alloc(3_000_000, 'all of it\n');
    const [file = '', ...args] = [...run, 'sh', '-c', 'cat; echo words >&2; exit 9'];
    const { stdout, stderr, status } = spawnSync(file, args, {
      input,
      env: environmentIn(directory.path),
      maxBuffer: 2 * input.length,
      timeout: 160_000,
    });
    assert.equal(status, 9, stderr.toString());
    assert.ok(stdout.equals(input));
    assert.equal(stderr.toString(), 'words\n');
  });

  test('npm test of a project with a dependency is as outside', { skip: skipWithout('npm') }, async () => {
    await using directory = await temporaryDirectory();
    const project = join(directory.path, 'project');
    const dependency = join(directory.path, 'dependency');
    for (const folder of [project, dependency]) mkdirSync(folder);
    const json = (folder: string, content: object): void =>
      writeFileSync(join(folder, 'package.json'), JSON.stringify(content));
    json(dependency, { name: 'dependency', version: '1.0.0', main: 'main.cjs' });
    writeFileSync(join(dependency, 'main.cjs'), 'exports.twice = (n) => 2 * n;');
    json(project, {
      name: 'project',
      version: '1.0.0',
      scripts: { test: 'node check.cjs' },
      dependencies: { dependency: 'file:../dependency' },
    });
    const check = `const { twice } = require('dependency');
require('node:assert').equal(twice(21), 42);
require('node:fs').writeFileSync('ran', 'yes');
process.exit(require('node:child_process').spawnSync('sh', ['-c', 'exit 3']).status === 3 ? 0 : 1);`;
    writeFileSync(join(project, 'check.cjs'), check);
    const script = 'npm install --offline --no-audit --no-fund && npm test';
    const [file = '', ...args] = [...run, 'sh', '-c', script];
    const options = {
      cwd: project,
      env: environmentIn(directory.path),
      encoding: 'utf8',
      timeout: 160_000,
    } as const;
    const { status, stdout, stderr } = spawnSync(file, args, options);
    assert.equal(status, 0, `${stdout}${stderr}`);
    assert.ok(existsSync(join(project, 'ran')));
  });
});
