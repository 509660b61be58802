import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { viewedBody } from '../../../src/gateway/captured/view-body.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const view = (bytes: Uint8Array, coding?: string, isWhole = true) =>
  viewedBody({ bytes: new Uint8Array(bytes), coding, type: 'text/html', isWhole, redacted: 0 });

test('a body is decoded as it says, whole or cut off', async () => {
  const text = 'hello '.repeat(2000);
  const codings: readonly [string, Uint8Array][] = [
    ['gzip', gzipSync(text)],
    ['X-GZIP ', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['br', brotliCompressSync(text)],
    ['zstd', zstdCompressSync(text)],
  ];
  for (const [coding, bytes] of codings) {
    assert.equal((await view(bytes, coding)).text, text, coding);
    const part = await view(bytes.subarray(0, bytes.length - 4), coding, false);
    assert.ok(part.text === undefined || text.startsWith(part.text), coding);
  }
  assert.equal((await view(Buffer.from('as it is'))).text, 'as it is');
});

test('a small body that stands for a large one is not decoded beyond the bound', async () => {
  const bomb = gzipSync(Buffer.alloc(64 * defaultLimits.capturedViewBytesMax));
  const viewed = await view(bomb, 'gzip');
  assert.equal(viewed.text, undefined);
  assert.match(viewed.note ?? '', /larger than 1048576 bytes/);
  assert.equal(Buffer.from(viewed.base64 ?? '', 'base64').length, bomb.length);
});

test('what is no text, or not what it says, is shown as octets', async () => {
  assert.equal((await view(Buffer.from([255, 254, 0]))).base64, '//4A');
  assert.equal((await view(Buffer.from('a\0b'))).text, undefined);
  assert.match((await view(Buffer.from('no gzip'), 'gzip')).note ?? '', /not in the encoding/);
  assert.match((await view(Buffer.from('x'), 'gzip, br')).note ?? '', /not taken off/);
  assert.match((await view(Buffer.from('x'), 'constructor')).note ?? '', /not taken off/);
  // Cut off within a character.
  assert.equal((await view(Buffer.from('aé').subarray(0, 2), undefined, false)).text, 'a');
});

test('of what is withheld it is said so', async () => {
  const body = { bytes: new Uint8Array(), isWhole: false, redacted: 0, isWithheld: true };
  assert.match((await viewedBody(body)).note ?? '', /nothing of it is kept/);
});
