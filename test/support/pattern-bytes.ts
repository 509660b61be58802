// Large bodies that need no memory: the same seed gives the same bytes and the same hash.

import { createHash, type Hash } from 'node:crypto';
import { Readable } from 'node:stream';

const blockBytes = 64 * 1024;

/** One block of bytes that looks random and is a function of the seed alone. */
export function patternBlock(seed: number): Buffer {
  const block = Buffer.allocUnsafe(blockBytes);
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let i = 0; i < blockBytes; i += 4) {
    // xorshift32: enough for bytes that neither compress nor repeat inside a block.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    block.writeUInt32LE(state >>> 0, i);
  }
  return block;
}

/** The pieces of a body of `bytes` bytes; the block's number is stamped on it, so no two blocks are equal. */
export function* patternPieces(bytes: number, seed: number): Generator<Buffer> {
  const block = patternBlock(seed);
  for (let left = bytes, index = 0; left > 0; index += 1) {
    const piece = Buffer.from(block.subarray(0, Math.min(left, blockBytes)));
    if (piece.length >= 4) piece.writeUInt32LE(index, 0);
    left -= piece.length;
    yield piece;
  }
}

/** A body as a stream that makes its bytes only when they are read. */
export function patternStream(bytes: number, seed = 1): Readable {
  return Readable.from(patternPieces(bytes, seed), { objectMode: false, highWaterMark: blockBytes });
}

/** SHA-256 of the body of that size and seed, hexadecimal. */
export function patternHash(bytes: number, seed = 1): string {
  const hash: Hash = createHash('sha256');
  for (const piece of patternPieces(bytes, seed)) hash.update(piece);
  return hash.digest('hex');
}
