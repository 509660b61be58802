// What tells an event from all others: its id, its trace and its time.

import { randomFillSync, randomUUIDv7 } from 'node:crypto';

/** An id that sorts by the time at which it was made (UUID version 7). */
export function newEventId(): string {
  return randomUUIDv7();
}

let isoMs = Number.NaN;
let isoText = '';

/** What `isoTime` gave, as a number again. */
export function parseIsoTime(text: string): number {
  return text === isoText ? Math.trunc(isoMs) : Date.parse(text);
}

/** RFC 3339 in UTC with milliseconds. Many events begin in the same one. */
export function isoTime(ms: number): string {
  if (ms !== isoMs) {
    isoText = new Date(ms).toISOString();
    isoMs = ms;
  }
  return isoText;
}

const traceIdBytes = 12;
/** Random bytes are drawn for 256 ids at once: a call costs twenty times what its bytes do. */
const traceIdPool = Buffer.alloc(256 * traceIdBytes);
let traceIdOffset = traceIdPool.length;

/**
 * The second in which it is made and 12 random bytes, in hex: the form of a W3C trace id. An index of ids that begin with the time grows
 * at its end, where one of random ids is written all over.
 */
export function newTraceId(): string {
  const seconds = Math.trunc(Date.now() / 1000) % 2 ** 32;
  if (traceIdOffset === traceIdPool.length) {
    randomFillSync(traceIdPool);
    traceIdOffset = 0;
  }
  traceIdOffset += traceIdBytes;
  const random = traceIdPool.toString('hex', traceIdOffset - traceIdBytes, traceIdOffset);
  return seconds.toString(16).padStart(8, '0') + random;
}
