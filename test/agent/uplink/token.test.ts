import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { readTokenDescriptor, readTokenFile } from '../../../src/agent/uplink/token.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { finished, nobody, runtimeArguments, spawnScript } from '../support/child.ts';

const limits = { ...defaultLimits, tokenBytesMax: 64 };
const text = 'header.payload.signature';

/** A token file of mode 0600 in a folder of its own. */
function withTokenFile(
  content: string,
  use: (path: string, folder: string) => void | Promise<void>,
): Promise<void> {
  return withTemporaryDirectory(async (folder) => {
    const path = join(folder, 'token');
    writeFileSync(path, content, { mode: 0o600 });
    await use(path, folder);
  });
}

describe('a token file is refused before its content counts', () => {
  const unreadable = (reason: RegExp) => ({ code: 'token_unreadable', message: reason });

  test('that is missing', () => {
    assert.throws(() => readTokenFile('/nonexistent/token', limits), unreadable(/it does not exist/));
  });
  test('that is a symbolic link, even to a good one', () =>
    withTokenFile(text, (path, folder) => {
      symlinkSync(path, join(folder, 'link'));
      assert.throws(() => readTokenFile(join(folder, 'link'), limits), unreadable(/symbolic link/));
    }));
  test('that is a FIFO, without waiting for a writer', () =>
    withTemporaryDirectory(async (folder) => {
      execFileSync('mkfifo', ['-m', '600', join(folder, 'fifo')]);
      assert.throws(() => readTokenFile(join(folder, 'fifo'), limits), unreadable(/not a regular file/));
    }));
  test('that is a folder', () =>
    withTemporaryDirectory(async (folder) => {
      mkdirSync(join(folder, 'token'), { mode: 0o700 });
      assert.throws(() => readTokenFile(join(folder, 'token'), limits), unreadable(/not a regular file/));
    }));
  for (const mode of [0o640, 0o604, 0o644, 0o660, 0o610, 0o601]) {
    test(`of mode ${mode.toString(8)}`, () =>
      withTokenFile(text, (path) => {
        chmodSync(path, mode);
        assert.throws(() => readTokenFile(path, limits), unreadable(/group or others/));
      }));
  }
  test('with a second hard link', () =>
    withTokenFile(text, (path, folder) => {
      linkSync(path, join(folder, 'other'));
      assert.throws(() => readTokenFile(path, limits), unreadable(/hard link/));
    }));
  test('larger than the limit by one byte', () =>
    withTokenFile('x'.repeat(65), (path) => {
      assert.throws(() => readTokenFile(path, limits), unreadable(/larger than 64 bytes/));
    }));
  test('of another user', { skip: process.geteuid?.() !== 0 && 'only root can give files away' }, () =>
    withTokenFile(text, (path) => {
      chownSync(path, nobody, nobody);
      assert.throws(() => readTokenFile(path, limits), unreadable(/another user/));
    }),
  );
});

describe('the content of a token', () => {
  const contents: readonly (readonly [name: string, content: string, bytes: string])[] = [
    ['alone', text, text],
    ['with the newline of an editor', `${text}\n`, text],
    ['with the line end of another system', `${text}\r\n`, text],
    ['of exactly the limit', 'x'.repeat(64), 'x'.repeat(64)],
    ['with every character that RFC 6750 allows', 'aZ09-._~+/==', 'aZ09-._~+/=='],
  ];
  for (const [name, content, bytes] of contents) {
    test(`${name} is taken`, () =>
      withTokenFile(content, (path) => {
        assert.equal(readTokenFile(path, limits).bytes.toString('latin1'), bytes);
      }));
  }
  const malformed: readonly (readonly [name: string, content: string])[] = [
    ['empty', ''],
    ['only a newline', '\n'],
    ['two lines', 'one\ntwo'],
    ['a space', 'Bearer abc'],
    ['a header of its own', 'abc\r\nX-Evil: 1'],
    ['a NUL', 'abc\0'],
    ['a letter beyond ASCII', 'abcé'],
  ];
  for (const [name, content] of malformed) {
    test(`${name} is malformed, and not repeated in the message`, () =>
      withTokenFile(content, (path) => {
        assert.throws(
          () => readTokenFile(path, limits),
          (error: Error & { code?: string }) =>
            error.code === 'token_malformed' && (content.length < 3 || !error.message.includes(content)),
        );
      }));
  }
  test('zeroing clears the memory', () =>
    withTokenFile(text, (path) => {
      const token = readTokenFile(path, limits);
      token.zero();
      assert.ok(token.bytes.every((byte) => byte === 0));
    }));
});

describe('erasing', () => {
  test('unlinks the file and overwrites what an early descriptor still reads', () =>
    withTokenFile(text, (path) => {
      const early = openSync(path, 'r');
      const token = readTokenFile(path, limits);
      assert.deepEqual(token.erase(), { erased: true });
      assert.equal(existsSync(path), false);
      assert.equal(readSync(early, Buffer.alloc(100), 0, 100, 0), 0);
      closeSync(early);
    }));
  test('overwrites what a hard link made meanwhile still names', () =>
    withTokenFile(text, (path, folder) => {
      const token = readTokenFile(path, limits);
      linkSync(path, join(folder, 'copy'));
      assert.deepEqual(token.erase(), { erased: true });
      assert.equal(readFileSync(join(folder, 'copy'), 'latin1'), '');
    }));
  test('works for a file that its owner may only read', () =>
    withTokenFile(text, (path) => {
      chmodSync(path, 0o400);
      const token = readTokenFile(path, limits);
      assert.deepEqual(token.erase(), { erased: true });
      assert.equal(existsSync(path), false);
    }));
  test('leaves alone the new token of a supervisor that replaced the file', () =>
    withTokenFile(text, (path, folder) => {
      const token = readTokenFile(path, limits);
      writeFileSync(join(folder, 'new'), 'new.token', { mode: 0o600 });
      renameSync(join(folder, 'new'), path);
      assert.match(token.erase().reason ?? '', /replaced/);
      assert.equal(readFileSync(path, 'latin1'), 'new.token');
    }));
  test('leaves alone a token that was written over in place', () =>
    withTokenFile(text, (path) => {
      const token = readTokenFile(path, limits);
      writeFileSync(path, 'another.token');
      assert.match(token.erase().reason ?? '', /replaced or changed/);
      assert.equal(readFileSync(path, 'latin1'), 'another.token');
    }));
  test('tells when the file is gone already', () =>
    withTokenFile(text, (path, folder) => {
      const token = readTokenFile(path, limits);
      renameSync(path, join(folder, 'moved'));
      assert.match(token.erase().reason ?? '', /it does not exist/);
    }));
});

describe('a token from a descriptor', () => {
  test('that is a file is read, and the descriptor closed', () =>
    withTokenFile(`${text}\n`, async (path) => {
      const fd = openSync(path, 'r');
      const token = await readTokenDescriptor(fd, limits);
      assert.equal(token.bytes.toString('latin1'), text);
      assert.throws(() => closeSync(fd), { code: 'EBADF' });
      assert.deepEqual(token.erase(), { erased: true });
      assert.equal(existsSync(path), true, 'a descriptor names no file to erase');
    }));
  test('that is no descriptor is unreadable', async () => {
    await assert.rejects(readTokenDescriptor(9999, limits), { code: 'token_unreadable', message: /EBADF/ });
  });
  for (const kind of ['socket', 'pipe'] as const) {
    test(`that is a ${kind} is read to its end`, async () => {
      assert.deepEqual(await descriptorResult(kind, (end) => end(`${text}\n`)), { token: text });
    });
    test(`that is a ${kind} and larger than the limit is refused`, async () => {
      assert.deepEqual(await descriptorResult(kind, (end) => end('x'.repeat(65))), {
        code: 'token_unreadable',
      });
    });
    test(`that is a ${kind} and never ends is given up, and the process can exit`, async () => {
      assert.deepEqual(await descriptorResult(kind, () => {}), { code: 'token_unreadable' });
    });
  }
});

/** Runs token-script.ts with a token on descriptor 3. */
async function descriptorResult(
  kind: 'socket' | 'pipe',
  write: (end: (text: string) => void) => void,
): Promise<unknown> {
  // Node gives its children socket pairs, a shell gives pipes.
  if (kind === 'socket') {
    const child = spawnScript('token-script.ts', [], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] });
    // Made by `stdio: 'pipe'`, so it can be written; the child may close it early.
    const stream = child.stdio[3] as NodeJS.WritableStream;
    stream.on('error', () => {});
    write((data) => void stream.end(data));
    const { code, output } = await finished(child);
    assert.equal(code, 0);
    return JSON.parse(output);
  }
  const script = new URL('../support/token-script.ts', import.meta.url).pathname;
  const child = spawn(
    'sh',
    ['-c', 'cat | { exec "$@" 3<&0 0</dev/null; }', 'sh', process.execPath, ...runtimeArguments, script],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  child.stdin.on('error', () => {});
  write((data) => void child.stdin.end(data));
  const told = once(child.stdout, 'data');
  const [output] = (await told) as [Buffer];
  child.stdin.destroy();
  await once(child, 'close');
  return JSON.parse(output.toString());
}
