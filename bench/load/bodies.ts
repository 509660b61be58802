// What is sent in bulk, and how both ends say that it came whole.

import { crc32 } from 'node:zlib';

export const smallBytes = 1024;
export const downloadChunk = Buffer.alloc(256 * 1024, 0x62);
export const uploadChunk = Buffer.alloc(256 * 1024, 0x61);

/** Count and CRC-32, as the origin says it of an upload. */
export function sumText(bytes: number, sum: number): string {
  return `${bytes} ${sum.toString(16)}`;
}

/** What the sum of a body of `bytes` has to be that repeats `chunk`. */
export function expectedSum(chunk: Buffer, bytes: number): string {
  let sum = 0;
  for (let left = bytes; left > 0; left -= chunk.length)
    sum = crc32(left < chunk.length ? chunk.subarray(0, left) : chunk, sum);
  return sumText(bytes, sum);
}
