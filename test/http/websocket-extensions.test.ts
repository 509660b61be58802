import assert from 'node:assert/strict';
import { test } from 'node:test';

import { agreesCompression, offeredExtensions } from '../../src/http/websocket-extensions.ts';

for (const [offer, goesOn] of [
  ['permessage-deflate', 'permessage-deflate'],
  ['permessage-deflate; client_max_window_bits', 'permessage-deflate; client_max_window_bits'],
  ['permessage-deflate; server_max_window_bits="10"', 'permessage-deflate; server_max_window_bits="10"'],
  [
    'x-other, permessage-deflate; server_no_context_takeover',
    'permessage-deflate; server_no_context_takeover',
  ],
  ['permessage-deflate; server_max_window_bits=999', undefined],
  ['permessage-deflate; server_max_window_bits=7', undefined],
  ['permessage-deflate; server_max_window_bits', undefined],
  ['permessage-deflate; evil=1', undefined],
  ['x-webkit-deflate-frame', undefined],
  ['', undefined],
] as const) {
  test(`of the offer "${offer}" goes on: ${goesOn ?? 'nothing'}`, () => {
    assert.equal(offeredExtensions([offer]), goesOn);
  });
}

test('an origin may agree to compression, or to nothing', () => {
  assert.equal(agreesCompression([]), false);
  assert.equal(agreesCompression(['permessage-deflate; server_max_window_bits=12']), true);
  for (const value of ['x-other', 'permessage-deflate, permessage-deflate', 'permessage-deflate; x=1'])
    assert.throws(() => agreesCompression([value]), { code: 'origin_malformed' });
});
