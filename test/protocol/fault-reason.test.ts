import assert from 'node:assert/strict';
import { globSync, readFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { asProxyError } from '../../src/protocol/error.ts';
import { faultReason, faultText } from '../../src/protocol/fault-reason.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was thrown');
}

test('what the system refuses is said in words, with the path once and without number or call', async () => {
  await withTemporaryDirectory(async (folder) => {
    const missing = join(folder, 'missing');
    const file = join(folder, 'file');
    writeFileSync(file, '');
    for (const [act, path, reason] of [
      [() => readFileSync(missing), missing, 'it does not exist'],
      [() => readFileSync(join(file, 'below')), join(file, 'below'), 'a part of its path is not a folder'],
      [() => writeFileSync(file, '', { flag: 'wx' }), file, 'it exists already'],
      [() => mkdirSync(file, { recursive: true }), file, 'a file is in its place'],
    ] as const) {
      const error = thrownBy(act);
      assert.equal(faultReason(error), reason);
      assert.equal(faultText(error), `${path}: ${reason}`);
      // What no command expected is told so too.
      assert.equal(asProxyError(error).message, `${path}: ${reason}`);
      assert.equal(asProxyError(error).cause, error);
    }
  });
});

test('a connection that is refused says that nothing listens, and other errors keep their text', async () => {
  const socket = connect(1, '127.0.0.1');
  const error: unknown = await new Promise((resolve) => socket.once('error', resolve));
  assert.equal(faultReason(error), 'nothing listens there');
  assert.equal(faultReason(new Error('of its own')), 'of its own');
  assert.equal(faultReason(Object.assign(new Error('x'), { code: 'ESRCH' })), 'ESRCH');
  assert.equal(faultReason(Object.assign(new Error('x'), { code: 'constructor' })), 'x');
  assert.equal(faultText('text'), 'text');
});

test('no message of the source is made of the code of a system error', () => {
  const root = new URL('../../', import.meta.url).pathname;
  const found = globSync('src/{agent,cli,gateway,net,pki,store}/**/*.ts', { cwd: root }).flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const codes =
      /(?:as NodeJS\.ErrnoException\)|\berror)\.code \?\? (?!'')|\bcode \?\? message|\$\{error\.code\}|Fault\([^)]*, name\)/g;
    return [...text.matchAll(codes)].map(([match]) => `${file}: ${match}`);
  });
  assert.deepEqual(found, []);
});
