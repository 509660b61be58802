import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { test } from 'node:test';

import fc from 'fast-check';

import { keepCompact } from '../../../src/gateway/front/compact-body.ts';

/** As node:http2 feeds a stream: it stops when `push` says so, and goes on when it is asked to read. */
function fedBy(pieces: readonly Buffer[]): Readable & { readonly feed: () => boolean } {
  let at = 0;
  let isReading = true;
  const stream = new Readable({
    read() {
      isReading = true;
    },
  });
  keepCompact(stream);
  const feed = (): boolean => {
    if (!isReading || at > pieces.length) return false;
    if (!stream.push(pieces[at] ?? null)) isReading = false;
    at += 1;
    return true;
  };
  return Object.assign(stream, { feed });
}

test('a body in single octets that nobody reads makes few objects, of which none keeps a larger buffer', () => {
  const stream = new Readable({ read: () => undefined });
  const kept: Buffer[] = [];
  const push = stream.push.bind(stream);
  stream.push = (chunk: Buffer) => {
    kept.push(chunk);
    return push(chunk);
  };
  keepCompact(stream);
  for (let i = 0; i < 65_536; i += 1) stream.push(Buffer.alloc(16_384).subarray(i % 100, (i % 100) + 1));
  assert.equal(kept.length, 1);
  const all: Buffer[] = [];
  for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null)
    all.push(chunk);
  assert.equal(Buffer.concat(all).length, 65_536);
  assert.ok(kept.length < 64, `${kept.length} objects`);
  for (const chunk of kept) assert.ok(chunk.buffer.byteLength <= 4096);
});

test('whatever the pieces are and however it is read, all octets come once, in order, and then the end', async () => {
  const property = fc.asyncProperty(
    fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 12 }),
    fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
    fc.constantFrom('iterator', 'data', 'pauses'),
    async (lengths, turns, how) => {
      const pieces = lengths.map((length, index) => Buffer.alloc(length, index + 1));
      const stream = fedBy(pieces);
      const hash = createHash('sha256');
      let turn = 0;
      let isOver = false;
      const feeding = (): void => {
        if (isOver) return;
        // Several in a turn, or none.
        while (stream.feed() && turns[turn++ % turns.length] === true);
        setImmediate(feeding);
      };
      feeding();
      if (how === 'iterator') for await (const chunk of stream) hash.update(chunk as Buffer);
      else {
        stream.on('data', (chunk: Buffer) => {
          hash.update(chunk);
          if (how !== 'pauses') return;
          stream.pause();
          setImmediate(() => stream.resume());
        });
        await new Promise((resolve) => void stream.once('end', resolve));
      }
      isOver = true;
      assert.equal(hash.digest('hex'), createHash('sha256').update(Buffer.concat(pieces)).digest('hex'));
    },
  );
  await fc.assert(property, { seed: 21, numRuns: 150 });
});
