// The one writer of a spool: batches are appended to its newest segment and synced, one sync for all of a batch, off the main thread. What
// failed once is never written to again: an error of fsync is told once, and what it was about may be lost.

import { constants } from 'node:fs';
import { open, rm, statfs, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { putAuditPayload } from '../../../api/audit-payload.ts';
import { ProxyError } from '../../../protocol/error.ts';
import { faultReason } from '../../../protocol/fault-reason.ts';
import type { Limits } from '../../../protocol/limits.ts';
import { RecordWriter } from '../../../protocol/spool-record.ts';
import type { AuditEntry } from '../../../store/store.ts';
import {
  createSegment,
  type OpenFile,
  type Segment,
  segmentHeader,
  segmentHeaderBytes,
  segmentName,
  spoolFault,
} from './spool-segment.ts';

const batchBytesInitial = 128 * 1024;
/** The name of what is given up when the disk is full, so that what runs still ends with its event. */
const reserveName = 'reserve';
/** So much of the room is for the events of what runs already; nothing new is served when the rest is used. */
const runningShare = 0.05;

type Growing = { -readonly [Name in keyof Segment]: Segment[Name] };

interface Kept extends Growing {
  last: number;
  /** When all of it was delivered. */
  deliveredMs?: number;
}

export interface SpoolWriterOptions {
  /** The folder of this spool alone. */
  readonly folder: string;
  readonly spool: string;
  readonly limits: Limits;
  readonly openFile?: OpenFile;
  /** Milliseconds that never go back. */
  readonly clock?: () => number;
}

export class SpoolWriter {
  readonly #options: SpoolWriterOptions;
  readonly #openFile: OpenFile;
  readonly #clock: () => number;
  readonly #records = new RecordWriter(batchBytesInitial);
  readonly #segmentBytesMax: number;
  #segments: Kept[] = [];
  #file: FileHandle | undefined;
  #sequence = 0;
  #numbers = 0;
  #hasReserve = false;

  constructor(options: SpoolWriterOptions) {
    this.#options = options;
    this.#openFile = options.openFile ?? open;
    this.#clock = options.clock ?? (() => performance.now());
    const { spoolSegmentBytes, spoolBytesMax } = options.limits;
    this.#segmentBytesMax = Math.min(spoolSegmentBytes, spoolBytesMax / 8);
  }

  /** Throws ProxyError `audit_unavailable` if the folder cannot be written. */
  async start(): Promise<void> {
    await this.#rotate();
    await this.makeReserve();
  }

  /** The oldest first. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** That of the last record that is safe. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Octets that are not delivered. */
  get waitingBytes(): number {
    return sumOf(this.#segments.filter(({ deliveredMs }) => deliveredMs === undefined));
  }

  /** Whether something new may be begun. */
  get hasRoom(): boolean {
    return this.#hasReserve && this.waitingBytes < this.#options.limits.spoolBytesMax * (1 - runningShare);
  }

  /** Resolves when the batch survives the loss of power. One call at a time. Throws ProxyError `audit_unavailable`; nothing of it counts then. */
  async append(entries: readonly AuditEntry[], open: readonly AuditEntry[]): Promise<void> {
    const bytes = this.#encode(entries, open);
    const { spoolBytesMax } = this.#options.limits;
    if (this.waitingBytes + bytes.length > spoolBytesMax)
      throw new ProxyError(
        'audit_unavailable',
        `The audit's spool is full: ${spoolBytesMax} bytes wait for the store (spoolBytesMax).`,
        { limit: 'spoolBytesMax' },
      );
    try {
      await this.#write(bytes);
    } catch (error) {
      if (!isFull(error) || !this.#hasReserve) throw error;
      this.#hasReserve = false;
      await rm(join(this.#options.folder, reserveName), { force: true });
      await this.#write(bytes);
    }
    this.#sequence += entries.length + open.length;
    const newest = this.#newest();
    newest.last = this.#sequence;
    delete newest.deliveredMs;
  }

  /** The store has all up to that record: what is old of it goes. */
  async delivered(sequence: number): Promise<void> {
    const { spoolKeptMs, spoolKeptBytesMax, spoolBytesMax } = this.#options.limits;
    const nowMs = this.#clock();
    for (const segment of this.#segments) {
      // A store that went back gets it again.
      if (segment.last > sequence) delete segment.deliveredMs;
      else segment.deliveredMs ??= nowMs;
    }
    const old = this.#segments.slice(0, -1).filter(({ deliveredMs }) => deliveredMs !== undefined);
    let kept = sumOf(old);
    for (const segment of old) {
      const isOld = nowMs - (segment.deliveredMs ?? nowMs) >= spoolKeptMs;
      if (!isOld && kept <= Math.min(spoolKeptBytesMax, spoolBytesMax / 4)) break;
      kept -= segment.bytes;
      this.#segments = this.#segments.filter((one) => one !== segment);
      await rm(segment.path, { force: true });
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  #encode(entries: readonly AuditEntry[], open: readonly AuditEntry[]): Uint8Array<ArrayBuffer> {
    let sequence = this.#sequence;
    try {
      for (const [kind, group] of [
        ['opened', open],
        ['event', entries],
      ] as const) {
        for (const entry of group) {
          sequence += 1;
          this.#records.begin(kind, sequence);
          putAuditPayload(this.#records, entry);
          this.#records.end();
        }
      }
      return this.#records.take();
    } catch (error) {
      this.#records.take();
      throw error;
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#file === undefined || this.#newest().bytes >= this.#segmentBytesMax) await this.#rotate();
    const segment = this.#newest();
    try {
      await writeAll(this.#file, bytes, segment.bytes);
      await this.#file?.datasync();
      segment.bytes += bytes.length;
    } catch (error) {
      // The next batch has a file of its own; of this one what was safe before counts.
      await this.close().catch(() => undefined);
      throw error instanceof ProxyError ? error : spoolFault(segment.path, faultReason(error), error);
    }
  }

  async #rotate(): Promise<void> {
    const { folder, spool } = this.#options;
    await this.close();
    this.#numbers += 1;
    const path = join(folder, segmentName(this.#numbers));
    const first = this.#sequence + 1;
    const file = await createSegment(path, this.#openFile);
    try {
      await writeAll(file, segmentHeader({ spool, first }), 0);
      await file.sync();
      await syncFolder(folder);
    } catch (error) {
      await file.close().catch(() => undefined);
      await rm(path, { force: true });
      throw spoolFault(path, faultReason(error), error);
    }
    this.#file = file;
    this.#segments.push({ path, first, bytes: segmentHeaderBytes, last: this.#sequence });
  }

  #newest(): Kept {
    const newest = this.#segments.at(-1);
    if (newest === undefined) throw new ProxyError('internal', 'The spool has no segment.');
    return newest;
  }

  /** Whether what runs could still end with its event on a full disk. */
  get hasReserve(): boolean {
    return this.#hasReserve;
  }

  /** Sets octets aside, where the disk has room for more than those; one call at a time. */
  async makeReserve(): Promise<void> {
    const { folder, limits } = this.#options;
    const path = join(folder, reserveName);
    const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
    let file: FileHandle | undefined;
    try {
      const { bavail, bsize } = await statfs(folder);
      // The events come first.
      if (bavail * bsize < 2 * limits.spoolReserveBytes) return;
      file = await this.#openFile(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600);
      await writeAll(file, new Uint8Array(limits.spoolReserveBytes).fill(1), 0);
      this.#hasReserve = true;
    } catch {
      // `hasRoom` says so.
      await rm(path, { force: true }).catch(() => undefined);
    } finally {
      await file?.close().catch(() => undefined);
    }
  }
}

function sumOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { bytes }) => sum + bytes, 0);
}

async function writeAll(file: FileHandle | undefined, bytes: Uint8Array, at: number): Promise<void> {
  if (file === undefined) throw new ProxyError('audit_unavailable', 'The spool is closed.');
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done);
    done += bytesWritten;
  }
}

/** So that the name of a new file lasts as its content does. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function isFull(error: unknown): boolean {
  const cause = error instanceof ProxyError ? error.cause : error;
  return cause instanceof Error && 'code' in cause && (cause.code === 'ENOSPC' || cause.code === 'EDQUOT');
}
