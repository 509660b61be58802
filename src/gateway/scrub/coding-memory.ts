// What it takes to decode a coding, told by its first octets: the window that its encoder chose.

import { defaultLimits } from '../../protocol/limits.ts';

const KiB = 1024;
const { zstdWindowBytesMax } = defaultLimits;
/** Tables and buffers beside the window, as the decoders of the runtime have them. */
const brotliBesideBytes = 256 * KiB;
const zstdBesideBytes = 512 * KiB;
/** A window of 32 KiB (RFC 1951 §2), and what is given of it. */
const deflateBytes = 64 * KiB;
const zstdMagic = [0x28, 0xb5, 0x2f, 0xfd] as const;

/** `incomplete`: more octets tell. `excessive`: nobody decodes it. */
export type CodingMemory =
  | { readonly windowLog: number; readonly octets: number }
  | 'incomplete'
  | 'excessive';

export function codingMemory(coding: string, start: Uint8Array): CodingMemory {
  if (coding === 'br') return brotliMemory(start);
  if (coding === 'zstd') return zstdMemory(start);
  return { windowLog: 15, octets: deflateBytes };
}

/** RFC 7932 §9.1: WBITS, from the lowest bit of the first octet on. */
function brotliMemory([first]: Uint8Array): CodingMemory {
  if (first === undefined) return 'incomplete';
  const [three, next] = [(first >> 1) & 7, (first >> 4) & 7];
  const isShort = (first & 1) === 0;
  const windowLog = isShort ? 16 : three > 0 ? 17 + three : next === 0 ? 17 : 8 + next;
  return { windowLog, octets: 2 ** windowLog + brotliBesideBytes };
}

/** RFC 8878 §3.1.1.1. What does not begin with a frame of data is taken for the largest. */
function zstdMemory(start: Uint8Array): CodingMemory {
  const isFrame = zstdMagic.every((octet, i) => i >= start.length || start[i] === octet);
  if (isFrame && start.length < 6) return 'incomplete';
  const [descriptor = 0, window = 0] = start.subarray(4, 6);
  if (!isFrame) return zstdOf(zstdWindowBytesMax);
  if ((descriptor & 0x20) === 0) {
    const base = 2 ** (10 + (window >> 3));
    return zstdOf(base + (base / 8) * (window & 7));
  }
  // A single segment: its window is its content, whose length stands behind the number of a dictionary.
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const lengthBytes = 2 ** (descriptor >> 6);
  const at = 5 + dictionaryBytes;
  if (start.length < at + lengthBytes) return 'incomplete';
  const field = start.subarray(at, at + lengthBytes);
  const length = field.reduceRight((sum, octet) => sum * 256 + octet, 0);
  return zstdOf(lengthBytes === 2 ? length + 256 : length);
}

function zstdOf(windowBytes: number): CodingMemory {
  if (windowBytes > zstdWindowBytesMax) return 'excessive';
  const windowLog = Math.max(10, Math.ceil(Math.log2(windowBytes)));
  return { windowLog, octets: 2 ** windowLog + zstdBesideBytes };
}
