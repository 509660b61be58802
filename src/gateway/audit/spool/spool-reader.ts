// Reads the records of a spool in order, from any sequence on. A record that is cut off or damaged is passed over: what matters is whether
// a number is missing. Behind the last sound record nothing is missing that anybody was told is safe, but for what a disk lost.

import { Buffer } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { readAuditPayload } from '../../../api/audit-payload.ts';
import { faultReason } from '../../../protocol/fault-reason.ts';
import { readRecord, recordBytesMax } from '../../../protocol/spool-record.ts';
import type { SpooledEntry } from '../../../store/store.ts';
import { openSegment, type Segment, segmentHeaderBytes, spoolFault } from './spool-segment.ts';

const chunkBytes = 1024 * 1024;
/** A record of the largest size is whole in two of these. */
const overlapBytes = recordBytesMax + 64;

/** So many places are tried for a record before others have their turn. */
const placesPerTurn = 64 * 1024;

/** Records that are not there, or not as they were written. */
export interface SpoolGap {
  readonly from: number;
  readonly through: number;
}

export interface SpoolRead {
  readonly records: readonly SpooledEntry[];
  /** What is missing before the first of them. */
  readonly gap: SpoolGap | undefined;
}

interface Cursor {
  readonly segment: Segment;
  readonly file: FileHandle;
  at: number;
}

export class SpoolReader {
  readonly #segments: () => readonly Segment[];
  #cursor: Cursor | undefined;
  /** The last record that was given, or passed over. */
  #last = 0;
  #waiting: SpooledEntry | undefined;
  #chunk: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** Where in the file the chunk begins. */
  #chunkAt = 0;

  /** @param segments the oldest first; asked again and again, for more come and old ones go */
  constructor(segments: () => readonly Segment[]) {
    this.#segments = segments;
  }

  /** Goes on behind that record. */
  async seek(sequence: number): Promise<void> {
    await this.close();
    this.#last = sequence;
  }

  async close(): Promise<void> {
    const cursor = this.#cursor;
    this.#cursor = undefined;
    this.#waiting = undefined;
    await cursor?.file.close();
  }

  /** The next records, at most `max`, in sequence; none at the end. Throws ProxyError `audit_unavailable`. */
  async next(max: number, bytesMax: number): Promise<SpoolRead> {
    const records: SpooledEntry[] = [];
    let gap: SpoolGap | undefined;
    let bytes = 0;
    while (records.length < max && bytes < bytesMax) {
      const entry = this.#waiting ?? (await this.#nextEntry());
      this.#waiting = undefined;
      if (entry === undefined) break;
      if (entry.sequence <= this.#last) continue;
      if (entry.sequence > this.#last + 1) {
        // A batch has a gap before it, and none within.
        if (records.length > 0) {
          this.#waiting = entry;
          break;
        }
        gap = { from: this.#last + 1, through: entry.sequence - 1 };
      }
      this.#last = entry.sequence;
      records.push(entry);
      bytes += entry.entry.json.length;
    }
    return { records, gap };
  }

  async #nextEntry(): Promise<SpooledEntry | undefined> {
    for (;;) {
      const cursor = (this.#cursor ??= await this.#open(this.#first()));
      if (cursor === undefined) return undefined;
      // The writer's own view: it grows.
      const end =
        this.#segments().find(({ path }) => path === cursor.segment.path)?.bytes ?? cursor.segment.bytes;
      if (cursor.at >= end) {
        const next = this.#after(cursor.segment);
        if (next === undefined) return undefined;
        await cursor.file.close();
        this.#cursor = undefined;
        this.#cursor = await this.#open(next);
        continue;
      }
      const entry = await this.#entryAt(cursor, end);
      // What has a number of the next segment was never told to be safe: the file failed, and the number was given once more.
      if (entry !== undefined && entry.sequence < (this.#after(cursor.segment)?.first ?? Infinity))
        return entry;
    }
  }

  /** The record at the cursor, which moves behind it. Undefined: nothing of use is there, and it moved on. */
  async #entryAt(cursor: Cursor, end: number): Promise<SpooledEntry | undefined> {
    await this.#fill(cursor, end);
    const record = readRecord(this.#chunk, cursor.at - this.#chunkAt);
    if (typeof record === 'string') {
      cursor.at = await this.#soundBehind(cursor, end);
      return undefined;
    }
    cursor.at = this.#chunkAt + record.end;
    const payload = record.kind === 'head' ? undefined : readAuditPayload(record.payload);
    if (record.kind === 'head' || payload === undefined) return undefined;
    const json = Buffer.from(
      payload.json.buffer,
      payload.json.byteOffset,
      payload.json.byteLength,
    ).toString();
    return { sequence: record.sequence, kind: record.kind, entry: { ...payload, json } };
  }

  /** Where the next sound record begins, or the end. */
  async #soundBehind(cursor: Cursor, end: number): Promise<number> {
    for (let at = cursor.at + 1; at < end;) {
      cursor.at = at;
      await this.#fill(cursor, end);
      const have = this.#chunkAt + this.#chunk.length;
      const through = have >= end ? end : have - overlapBytes;
      const view = new DataView(this.#chunk.buffer);
      for (; at <= through; at += 1) {
        if (typeof readRecord(this.#chunk, at - this.#chunkAt, view) !== 'string') return at;
        if (at % placesPerTurn === 0) await nextTurn();
      }
    }
    return end;
  }

  /** So that a record of any size which begins at the cursor is in the chunk, or all up to the end is. */
  async #fill({ segment, file, at }: Cursor, end: number): Promise<void> {
    const have = this.#chunkAt + this.#chunk.length;
    if (at >= this.#chunkAt && (have >= end || have - at >= overlapBytes)) return;
    const chunk = new Uint8Array(Math.min(chunkBytes, end - at));
    for (let length = 0; length < chunk.length;) {
      const { bytesRead } = await file
        .read(chunk, length, chunk.length - length, at + length)
        .catch((error: unknown) => {
          throw spoolFault(segment.path, faultReason(error), error);
        });
      if (bytesRead === 0) throw spoolFault(segment.path, 'it is shorter than it was');
      length += bytesRead;
    }
    this.#chunk = chunk;
    this.#chunkAt = at;
  }

  /** The segment that has the record behind the last one. */
  #first(): Segment | undefined {
    const segments = this.#segments();
    return segments.findLast(({ first }) => first <= this.#last + 1) ?? segments[0];
  }

  #after(segment: Segment): Segment | undefined {
    const segments = this.#segments();
    const index = segments.findIndex(({ path }) => path === segment.path);
    // One that is gone was read: the next is the oldest with something new.
    return index === -1 ? segments.find(({ first }) => first > segment.first) : segments[index + 1];
  }

  async #open(segment: Segment | undefined): Promise<Cursor | undefined> {
    if (segment === undefined) return undefined;
    this.#chunk = new Uint8Array(0);
    this.#chunkAt = 0;
    return { segment, file: await openSegment(segment.path), at: segmentHeaderBytes };
  }
}
