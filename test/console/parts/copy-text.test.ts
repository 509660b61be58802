// Copying says what became of it, with a clipboard and without.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyText } from '../../../src/console/parts/copy-text.ts';

test('what was copied is said, and so is why it was not', async () => {
  const copied: string[] = [];
  const works = { writeText: async (text: string) => void copied.push(text) };
  assert.equal(await copyText('curl x', 'the command', works), 'Copied the command');
  assert.deepEqual(copied, ['curl x']);
  assert.match(await copyText('x', 'it', undefined), /^Not copied: the browser gives pages a clipboard over/);
  const refuses = { writeText: () => Promise.reject(new Error('NotAllowedError')) };
  assert.match(await copyText('x', 'it', refuses), /^Not copied: the browser does not let/);
});
