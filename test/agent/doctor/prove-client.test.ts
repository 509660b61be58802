import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { findCommand, proveClient, readVersion } from '../../../src/agent/doctor/prove-client.ts';
import { patienceMs } from '../../support/patience.ts';
import { isRunning, waitForFile, waitUntil } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const shell = '/bin/sh';
const options = {
  command: shell,
  environment: { PATH: process.env['PATH'] ?? '' },
  word: 'wooord',
  timeoutMs: patienceMs,
};

test("the gateway's own response is a proof, the URL in an error is none", async () => {
  const say = (text: string) => proveClient({ args: ['-c', `printf '%s' '${text}'; exit 1`] }, options);
  assert.equal((await say('{ "doctor": "wooord" }')).passed, true);
  assert.equal((await say('"{\\"doctor\\":\\"wooord\\"}"')).passed, true, 'as JSON inside JSON');
  const failed = await say('cannot reach https://upstreamproxy.invalid/doctor/wooord');
  assert.equal(failed.passed, false);
  assert.match(failed.said ?? '', /^cannot reach/);
});

test('of several things that show it, all have to be there', async () => {
  const proof = { args: ['-c', 'echo 418 for @word@'], expect: ['418', 'for @word@'] };
  assert.equal((await proveClient(proof, options)).passed, true);
  assert.equal((await proveClient({ ...proof, expect: ['418', '200'] }, options)).passed, false);
});

test('what a client said at last is its message, not the places of its program', async () => {
  const said =
    'SomeError: no certificate\\n  /usr/lib/errors.rb:69:in `rescue\\n  /usr/bin/x:1:in `<main>\\n';
  const { said: kept } = await proveClient({ args: ['-c', `printf '${said}'`] }, options);
  assert.equal(kept, 'SomeError: no certificate');
});

test('it runs in a folder of its own, of which nothing stays', async () => {
  await using folder = await temporaryDirectory();
  const proof = {
    args: ['-c', 'cat given > response; cp given @temporary@/second'],
    files: { given: '"doctor": "@word@"' },
    output: 'response',
  };
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder.path;
  try {
    assert.equal((await proveClient(proof, options)).passed, true);
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
  assert.deepEqual(await readdir(folder.path), []);
});

test('a client that does not end is ended, with what it started', async () => {
  await using folder = await temporaryDirectory();
  const file = join(folder.path, 'pid');
  const script = `sleep 60 & echo $! > ${file}.new; mv ${file}.new ${file}; wait`;
  const { passed, said } = await proveClient({ args: ['-c', script] }, { ...options, timeoutMs: 1_500 });
  assert.equal(passed, false);
  assert.equal(said, 'no end in 1500 ms');
  const pid = Number(await waitForFile(file));
  await waitUntil('the child of the client ends', () => !isRunning(pid));
});

test('a version is the number beside the name, not in what Java says of its options', async () => {
  const version = async (text: string, id = 'mvn') => {
    const row = { id, commands: [id], version: ['-c', `printf '%b' '${text}'`] };
    return (await readVersion(row, shell, options.environment, patienceMs))?.version;
  };
  assert.equal(
    await version('Picked up JAVA_TOOL_OPTIONS: -Dx=127.0.0.1\\nApache Maven 3.9.9 (mvn)\\n'),
    '3.9.9',
  );
  assert.equal(await version('OTP 27 [erts-15.2.7]\\n\\nMix 1.18.3\\n', 'mix'), '1.18.3');
  assert.equal(await version('no number', 'x'), undefined);
  const failing = { id: 'x', commands: [], version: ['-c', 'exit 1'] };
  assert.equal(await readVersion(failing, shell, {}, 20_000), undefined);
});

test('a command is found on PATH only, and only if it can be executed', async () => {
  await using folder = await temporaryDirectory();
  await writeFile(join(folder.path, 'plain'), '', { mode: 0o644 });
  await writeFile(join(folder.path, 'tool'), '', { mode: 0o755 });
  const path = `/nowhere:${folder.path}`;
  assert.equal(findCommand('tool', path), join(folder.path, 'tool'));
  assert.equal(findCommand('plain', path), undefined);
  assert.equal(findCommand('tool', undefined), undefined);
  assert.equal(findCommand(shell, ''), shell);
});
