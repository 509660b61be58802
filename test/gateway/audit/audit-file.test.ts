import assert from 'node:assert/strict';
import { lstat, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { AuditFile } from '../../../src/gateway/audit/audit-file.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'upstreamproxy-audit-file-'));
});
afterEach(() => rm(folder, { recursive: true }));
const refused = (message: RegExp) => ({ name: 'ProxyError', code: 'audit_unavailable', message });

test('the file is made for the owner alone and is appended to', async () => {
  const path = join(folder, 'audit.jsonl');
  const mask = process.umask(0);
  try {
    await using first = await AuditFile.open(path);
    await first.write(Buffer.from('one\n'));
  } finally {
    process.umask(mask);
  }
  await using second = await AuditFile.open(path);
  await second.write(Buffer.from('two\n'));
  assert.equal(await readFile(path, 'utf8'), 'one\ntwo\n');
  assert.equal((await lstat(path)).mode & 0o777, 0o600);
});

test('after a rotation the lines go to a new file', async () => {
  const path = join(folder, 'audit.jsonl');
  await using file = await AuditFile.open(path);
  await file.write(Buffer.from('one\n'));
  await rename(path, `${path}.1`);
  await file.write(Buffer.from('two\n'));
  assert.equal(await readFile(`${path}.1`, 'utf8'), 'one\n');
  assert.equal(await readFile(path, 'utf8'), 'two\n');
  await rm(path);
  await file.write(Buffer.from('three\n'));
  assert.equal(await readFile(path, 'utf8'), 'three\n');
});

test('a link, a folder, a file that others may read and a missing folder are refused', async () => {
  const target = join(folder, 'target');
  await writeFile(target, '', { mode: 0o600 });
  await symlink(target, join(folder, 'link'));
  await assert.rejects(AuditFile.open(join(folder, 'link')), refused(/cannot be written/));
  await mkdir(join(folder, 'directory'));
  await assert.rejects(AuditFile.open(join(folder, 'directory')), refused(/cannot be written/));
  await writeFile(join(folder, 'readable'), '', { mode: 0o644 });
  await assert.rejects(AuditFile.open(join(folder, 'readable')), refused(/mode 600/));
});

test('a path that became a link under us is not followed', async () => {
  const path = join(folder, 'audit.jsonl');
  await using file = await AuditFile.open(path);
  const target = join(folder, 'target');
  await writeFile(target, 'untouched', { mode: 0o600 });
  await rm(path);
  await symlink(target, path);
  await assert.rejects(file.write(Buffer.from('line\n')), refused(/cannot be written/));
  assert.equal(await readFile(target, 'utf8'), 'untouched');
});
