import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { openShadowHome } from '../../../src/agent/doctor/shadow-home.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('settings are seen by links, what is written stays in it, and nothing of it is left', async () => {
  await using directory = await temporaryDirectory();
  const { path: home } = directory;
  await mkdir(join(home, '.subversion'));
  await writeFile(join(home, '.subversion/servers'), 'own');
  await writeFile(join(home, '.gitconfig'), 'own');
  await writeFile(join(home, 'secret'), 'own');
  const shadow = await openShadowHome(home);
  for (const name of ['.subversion/servers', '.gitconfig'])
    assert.equal(await readFile(join(shadow.path, name), 'utf8'), 'own');
  assert.equal(existsSync(join(shadow.path, 'secret')), false);
  await writeFile(join(shadow.path, '.subversion/auth'), 'written');
  assert.equal(existsSync(join(home, '.subversion/auth')), false);
  await shadow[Symbol.asyncDispose]();
  assert.equal(existsSync(shadow.path), false);
  assert.equal(await readFile(join(home, '.subversion/servers'), 'utf8'), 'own');
});
