import assert from 'node:assert/strict';
import { test } from 'node:test';

import { runCommand } from '../../support/command.ts';
import { launcher } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('outside of a session that is the first line, and a program stands for all rows that are about it', async () => {
  await using directory = await temporaryDirectory();
  const { https_proxy: _, HTTPS_PROXY: __, ...rest } = process.env;
  const env = { ...rest, HOME: directory.path };
  const { code, stdout } = await runCommand(launcher, ['doctor', 'node', '--no-proof'], { env });
  assert.equal(code, 1);
  const [first, fix, blank, ...others] = stdout.split('\n');
  assert.deepEqual(
    [first, fix, blank],
    [
      '✗ no variable names a relay, and the network leads to no gateway',
      '    fix: start the command by: upstreamproxy run -- COMMAND',
      '',
    ],
  );
  const text = others.join('\n');
  for (const row of ['node-fetch', 'node-https']) assert.match(text, new RegExp(`^✗ ${row} `, 'm'));
  assert.equal(text.includes('no variable names a relay'), false, 'it is said once');
  const wrong = await runCommand(launcher, ['doctor', 'nodde'], { env });
  assert.equal(wrong.code, 64);
  assert.match(wrong.stderr, /"nodde" is not a client that it knows; did you mean node\?/);
});
