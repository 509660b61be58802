import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cutNote, hasCutNote } from '../../src/api/cut-note.ts';

test('a text with a note is told from one without', () => {
  assert.equal(cutNote(5000), '[cut: 5000 bytes in all]');
  assert.ok(hasCutNote(`/path${cutNote(1)}`));
  assert.equal(hasCutNote('/path?x=[1]'), false);
});
