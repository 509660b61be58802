import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeAbandoned, writeFileAtomically } from '../../src/system/atomic-file.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

test('a file is replaced whole, with the mode that was asked for whatever the umask', () =>
  withTemporaryDirectory(async (folder) => {
    const path = join(folder, 'file');
    writeFileSync(path, 'old', { mode: 0o600 });
    const mask = process.umask(0o077);
    try {
      await writeFileAtomically(path, 'new');
    } finally {
      process.umask(mask);
    }
    assert.equal(readFileSync(path, 'utf8'), 'new');
    assert.equal(statSync(path).mode & 0o777, 0o644);
    assert.deepEqual(readdirSync(folder), ['file']);
  }));

test('a fault leaves nothing behind', () =>
  withTemporaryDirectory(async (folder) => {
    // A folder cannot be replaced by a file.
    mkdirSync(join(folder, 'target', 'child'), { recursive: true });
    await assert.rejects(writeFileAtomically(join(folder, 'target'), 'x'), { code: 'trust_unwritable' });
    await assert.rejects(writeFileAtomically(join(folder, 'missing', 'file'), 'x'), {
      message: /it does not exist/,
    });
    assert.deepEqual(readdirSync(folder), ['target']);
  }));

test('what a killed writer left is removed, and nothing else', () =>
  withTemporaryDirectory(async (folder) => {
    const others = ['.ca.pem.old', '.notes.0123456789ab', 'ca.pem.0123456789ab'];
    for (const name of ['.ca.pem.0123456789ab', ...others]) writeFileSync(join(folder, name), 'x');
    await removeAbandoned(folder, ['ca.pem']);
    await removeAbandoned(join(folder, 'missing'), ['ca.pem']);
    assert.deepEqual(readdirSync(folder).sort(), others.sort());
  }));
