// What tells an event from all others: its id, its trace and its time.

import { randomFillSync, randomUUIDv7 } from 'node:crypto';

/** An id that sorts by the time at which it was made (UUID version 7). */
export function newEventId(): string {
  return wholeText(randomUUIDv7(), '');
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

const traceIdBytes = 16;
/** Of these the last twelve are random, drawn for 256 ids at once: a call costs twenty times what its bytes do. */
const traceIdPool = Buffer.alloc(256 * traceIdBytes);
let traceIdOffset = traceIdPool.length;

/**
 * The second in which it is made and 12 random bytes, in hex: the form of a W3C trace id. An index of ids that begin with the time grows
 * at its end, where one of random ids is written all over.
 */
export function newTraceId(): string {
  if (traceIdOffset === traceIdPool.length) {
    randomFillSync(traceIdPool);
    traceIdOffset = 0;
  }
  const at = traceIdOffset;
  traceIdOffset += traceIdBytes;
  traceIdPool.writeUInt32BE(Math.trunc(Date.now() / 1000) % 2 ** 32, at);
  // In one piece: V8 writes JSON twice as slowly where a text in it was put together or cut out.
  return traceIdPool.toString('hex', at, traceIdOffset);
}

/** Two texts as one in one piece, for the same reason. */
export function wholeText(first: string, second: string): string {
  return [first.slice(0, 1), first.slice(1), second].join('');
}
