// Records as they are kept and handed on, big endian:
//   length u32 | CRC32C u32 | kind u8 | sequence u64 | payload
// The length is of what follows the sum, and the sum is of that. One that was cut off, or holds other octets than were written, is told
// from one that is whole; nothing of it is given.

import { crc32c } from './crc32c.ts';
import { defaultLimits } from './limits.ts';

/** `opened`: what began, `event`: what ended, `head`: how far a chain of records goes. */
export const recordKinds = { opened: 1, event: 2, head: 3 } as const;
export type RecordKind = keyof typeof recordKinds;

/** Octets before the payload. */
export const recordHeaderBytes = 17;
const prefixBytes = 8;
/** More than any event with what it can be found by, in whatever form; a length above it is none. */
export const recordBytesMax = 32 * defaultLimits.auditEventBytesMax;

const kindByNumber = new Map<number, RecordKind>(
  // Object.entries forgets that the keys are the kinds.
  (Object.entries(recordKinds) as [RecordKind, number][]).map(([kind, number]) => [number, kind]),
);

export interface SpoolRecord {
  readonly kind: RecordKind;
  readonly sequence: number;
  /** A view, not a copy. */
  readonly payload: Uint8Array<ArrayBuffer>;
  /** Where the next record begins. */
  readonly end: number;
}

/** `torn`: the octets end before the record does. `corrupt`: they are not what was written. */
export type RecordProblem = 'torn' | 'corrupt';

/** The record that begins at `at`. Who tries one place after the other makes `view`, of all the octets, once. */
export function readRecord(
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
  view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
): SpoolRecord | RecordProblem {
  if (bytes.length - at < prefixBytes) return 'torn';
  const length = view.getUint32(at);
  if (length < recordHeaderBytes - prefixBytes || length > recordBytesMax) return 'corrupt';
  const [begin, end] = [at + prefixBytes, at + prefixBytes + length];
  if (end > bytes.length) return 'torn';
  if (crc32c(bytes, begin, end, view) !== view.getUint32(at + 4)) return 'corrupt';
  const kind = kindByNumber.get(view.getUint8(begin));
  const sequence = view.getUint32(begin + 1) * 2 ** 32 + view.getUint32(begin + 5);
  if (kind === undefined || !Number.isSafeInteger(sequence)) return 'corrupt';
  return { kind, sequence, payload: bytes.subarray(at + recordHeaderBytes, end), end };
}

/** Writes records one behind the other into one growing buffer. */
export class RecordWriter {
  readonly #encoder = new TextEncoder();
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;
  #begin = 0;

  constructor(bytesInitial: number) {
    this.#bytes = new Uint8Array(bytesInitial);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Begins a record. What the `put…` methods write until `end` is its payload. */
  begin(kind: RecordKind, sequence: number): void {
    this.#begin = this.#length;
    this.#room(recordHeaderBytes);
    const at = this.#begin + prefixBytes;
    this.#view.setUint8(at, recordKinds[kind]);
    this.#view.setUint32(at + 1, Math.floor(sequence / 2 ** 32));
    this.#view.setUint32(at + 5, sequence % 2 ** 32);
    this.#length += recordHeaderBytes;
  }

  /** @throws RangeError for a record that no reader would take */
  end(): void {
    const at = this.#begin;
    const length = this.#length - at - prefixBytes;
    if (length > recordBytesMax) {
      this.drop();
      throw new RangeError(`a record of ${length} octets is longer than ${recordBytesMax}`);
    }
    this.#view.setUint32(at, length);
    this.#view.setUint32(at + 4, crc32c(this.#bytes, at + prefixBytes, this.#length, this.#view));
  }

  /** Gives up what was begun. */
  drop(): void {
    this.#length = this.#begin;
  }

  putUint8(value: number): void {
    this.#room(1);
    this.#view.setUint8(this.#length, value);
    this.#length += 1;
  }

  putFloat64(value: number): void {
    this.#room(8);
    this.#view.setFloat64(this.#length, value);
    this.#length += 8;
  }

  /** As UTF-8, behind its length as u16. @throws RangeError for a text that is too long for that */
  putShortText(text: string): void {
    this.#room(2);
    const at = this.#length;
    this.#length += 2;
    this.putText(text);
    const length = this.#length - at - 2;
    if (length > 0xffff) throw new RangeError(`a text of ${length} octets is longer than ${0xffff}`);
    this.#view.setUint16(at, length);
  }

  /** As UTF-8, to the end of the payload. */
  putText(text: string): void {
    // A UTF-16 unit is three octets at most.
    this.#room(text.length * 3);
    this.#length += this.#encoder.encodeInto(text, this.#bytes.subarray(this.#length)).written;
  }

  /** To the end of the payload. */
  putOctets(octets: Uint8Array): void {
    this.#room(octets.length);
    this.#bytes.set(octets, this.#length);
    this.#length += octets.length;
  }

  /** What was written so far, in a buffer of its own that nobody else has. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    this.#begin = 0;
    return taken;
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
