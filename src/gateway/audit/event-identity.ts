// What tells an event from all others: its id, its trace and its time.

import { randomFillSync } from 'node:crypto';

const digits = Buffer.from('0123456789abcdef');
const eventIdBytes = 10;
/** For 256 ids at once: a call costs twenty times what its bytes do. */
const eventIdPool = Buffer.alloc(256 * eventIdBytes);
let eventIdOffset = eventIdPool.length;
const eventIdText = Buffer.from('00000000-0000-7000-8000-000000000000');

/** An id that sorts by the time at which it was made (UUID version 7, RFC 9562 §5.7). */
export function newEventId(): string {
  if (eventIdOffset === eventIdPool.length) {
    randomFillSync(eventIdPool);
    eventIdOffset = 0;
  }
  const at = eventIdOffset;
  eventIdOffset += eventIdBytes;
  const nowMs = Date.now();
  const [high, low] = [Math.floor(nowMs / 2 ** 24), nowMs % 2 ** 24];
  for (let i = 0; i < 3; i += 1) {
    putHex(i * 2, (high >>> (16 - 8 * i)) & 0xff);
    // Behind the first four octets stands a hyphen.
    putHex(i === 0 ? 6 : 7 + i * 2, (low >>> (16 - 8 * i)) & 0xff);
  }
  putHex(14, 0x70 | (eventIdRandom(at) & 0x0f));
  putHex(16, eventIdRandom(at + 1));
  putHex(19, 0x80 | (eventIdRandom(at + 2) & 0x3f));
  putHex(21, eventIdRandom(at + 3));
  for (let i = 0; i < 6; i += 1) putHex(24 + 2 * i, eventIdRandom(at + 4 + i));
  return eventIdText.toString('latin1');
}

function eventIdRandom(at: number): number {
  return eventIdPool[at] ?? 0;
}

function putHex(at: number, octet: number): void {
  eventIdText[at] = digits[octet >>> 4] ?? 0;
  eventIdText[at + 1] = digits[octet & 0x0f] ?? 0;
}

let isoMs = Number.NaN;
let isoText = '';

let parsedText = '';
let parsedMs = Number.NaN;

/** What `isoTime` gave, as a number again. It is asked for several times for each event. */
export function parseIsoTime(text: string): number {
  if (text !== parsedText) {
    parsedMs = text === isoText ? Math.trunc(isoMs) : Date.parse(text);
    parsedText = text;
  }
  return parsedMs;
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
