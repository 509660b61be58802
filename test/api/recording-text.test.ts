import assert from 'node:assert/strict';
import { test } from 'node:test';

import { recordingText } from '../../src/api/recording-text.ts';

test('what a shell showed is text, what was sent to it stands in a line of its own, and the rest is left out', () => {
  const cast = [
    '{"version":2,"width":80,"height":24,"timestamp":1}',
    '[0.1,"o","$ "]',
    '[0.2,"i","id\\r"]',
    '[0.3,"r","100x50"]',
    '[0.3,"o","id\\r\\nuid=0\\r\\n"]',
    '[0.3,"o"]',
    'cut off ["',
    '',
  ].join('\n');
  assert.equal(recordingText(cast), '$ \n> "id\\r"\nid\nuid=0\n');
});
