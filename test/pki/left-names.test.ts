// What a killed maker of keys left: second names of what it finished go, and what is old; a maker at work keeps its own.

import assert from 'node:assert/strict';
import { linkSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { removeLeftNames } from '../../src/pki/left-names.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('second names of finished files and old strays go, everything else stays', async () => {
  await using directory = await temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const hex = (digit: string): string => digit.repeat(16);
  for (const name of ['ca.key', 'ca.pem', 'signing-key.key', 'other']) writeFileSync(at(name), name);
  linkSync(at('ca.key'), at(`ca.key.${hex('a')}`));
  linkSync(at('signing-key.key'), at(`.signing-key.key.${hex('b')}`));
  writeFileSync(at(`ca.pem.${hex('c')}`), 'old');
  utimesSync(at(`ca.pem.${hex('c')}`), 0, 0);
  const kept = [`ca.pem.${hex('d')}`, `ca.key.${'e'.repeat(15)}`, `other.${hex('f')}`, 'ca.key.backup'];
  for (const name of kept) writeFileSync(at(name), 'kept');
  symlinkSync(at('ca.key'), at(`ca.key.${hex('9')}`));
  removeLeftNames(directory.path);
  assert.deepEqual(
    readdirSync(directory.path).toSorted(),
    ['ca.key', 'ca.pem', 'signing-key.key', 'other', `ca.key.${hex('9')}`, ...kept].toSorted(),
  );
});
