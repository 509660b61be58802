import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliCompressSync, constants, zstdCompressSync } from 'node:zlib';

import { codingMemory } from '../../../src/gateway/scrub/coding-memory.ts';
import { ResponseDecoder } from '../../../src/gateway/scrub/response-decoder.ts';

const MiB = 1024 ** 2;
/** Longer than a small window, and not all the same. */
const body = Buffer.from(Array.from({ length: 3 * MiB }, (_, i) => (i * i) >> 7));

function windowLogOf(coding: string, encoded: Buffer): number | string {
  for (let length = 0; length <= 18; length += 1) {
    const memory = codingMemory(coding, encoded.subarray(0, length));
    if (memory === 'incomplete') continue;
    if (memory === 'excessive') return memory;
    assert.ok(memory.octets >= 2 ** memory.windowLog);
    assert.deepEqual(codingMemory(coding, encoded), memory, 'more octets tell nothing else');
    return memory.windowLog;
  }
  return 'incomplete';
}

test('the window of brotli is read from its first octet', () => {
  for (let log = 10; log <= 24; log += 1) {
    const encoded = brotliCompressSync(body.subarray(0, 4096), {
      params: { [constants.BROTLI_PARAM_LGWIN]: log, [constants.BROTLI_PARAM_SIZE_HINT]: body.length },
    });
    assert.equal(windowLogOf('br', encoded), log);
  }
});

const zstd = (bytes: Buffer, log: number): Buffer =>
  zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_windowLog]: log, [constants.ZSTD_c_contentSizeFlag]: 0 },
  });

/** RFC 8878 §3.1.1.1.2: a window of 2^log and so many eighths. */
const frameHead = (log: number, eighths = 0): Buffer =>
  Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0, ((log - 10) << 3) | eighths);

test('the window of zstd is read from the head of its frame, and one above 8 MiB is refused', () => {
  for (let log = 10; log <= 21; log += 1) assert.equal(windowLogOf('zstd', zstd(body, log)), log);
  for (let log = 10; log <= 31; log += 1)
    assert.equal(windowLogOf('zstd', frameHead(log)), log > 23 ? 'excessive' : log);
  // Between two powers the larger one.
  assert.equal(windowLogOf('zstd', frameHead(22, 7)), 23);
  assert.equal(windowLogOf('zstd', frameHead(23, 1)), 'excessive');
});

test('a frame of zstd that says its length has a window of that', () => {
  for (const [length, log] of [
    [10, 10],
    [255, 10],
    [300, 10],
    [5000, 13],
    [100_000, 17],
  ] as const)
    assert.equal(windowLogOf('zstd', zstdCompressSync(body.subarray(0, length))), log);
});

async function decode(coding: string, pieces: readonly Buffer[]): Promise<{ text: Buffer; held: number[] }> {
  const held: number[] = [];
  const text: Buffer[] = [];
  const decoder = new ResponseDecoder({
    coding,
    host: 'origin.test',
    signal: new AbortController().signal,
    take: (chunk) => text.push(chunk) > 0,
    onDrain: () => assert.fail('nothing was refused'),
    hold: (octets) => held.push(octets),
  });
  for (const piece of pieces) {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (!decoder.push(piece, resolve)) await promise;
  }
  await decoder.end();
  return { text: Buffer.concat(text), held };
}

test('what a decoder holds is told once, before it decodes, however its octets come', async () => {
  const encoded = zstd(body, 20);
  for (const pieces of [[encoded], Array.from(encoded.subarray(0, 9), (octet) => Buffer.of(octet))]) {
    const rest = pieces.length === 1 ? [] : [encoded.subarray(9)];
    const { text, held } = await decode('zstd', [...pieces, ...rest]);
    assert.deepEqual(text, body);
    assert.deepEqual(held.length, 1);
    assert.ok((held[0] ?? 0) > MiB && (held[0] ?? 0) < 2 * MiB);
  }
});

test('a later frame with a larger window than was counted does not pass', async () => {
  const first = zstd(body.subarray(0, 5000), 12);
  assert.equal((await decode('zstd', [first, first])).text.length, 10_000);
  await assert.rejects(decode('zstd', [first, zstd(body, 22)]), { code: 'origin_malformed' });
  await assert.rejects(decode('zstd', [frameHead(24)]), { code: 'origin_malformed' });
});

test('a coding that ends before its window is known is broken', async () => {
  await assert.rejects(decode('zstd', [zstd(body, 20).subarray(0, 5)]), { code: 'origin_malformed' });
  assert.deepEqual((await decode('zstd', [])).held, []);
});
