// A segment of a spool: a file with a header, and records behind it (protocol/spool-record.ts).
//   "UPSPOOL1" | id of the spool, 16 octets | first sequence u64 | CRC32C of all that u32
// The names of segments are their numbers. Everything is this user's alone.

import { Buffer } from 'node:buffer';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { ProxyError } from '../../../protocol/error.ts';
import { faultReason } from '../../../protocol/fault-reason.ts';
import { crc32c } from '../../../protocol/crc32c.ts';

const magic = Buffer.from('UPSPOOL1');
const sumAt = magic.length + 16 + 8;
export const segmentHeaderBytes = sumAt + 4;
const nameForm = /^(\d{10})\.spool$/;

export interface SegmentHeader {
  readonly spool: string;
  /** No record of the segment has a smaller sequence. */
  readonly first: number;
}

/** A segment as its readers see it. */
export interface Segment {
  readonly path: string;
  readonly first: number;
  /** What counts of the file: behind it is nothing, or what failed to be written. */
  readonly bytes: number;
}

/** Opens a file for reading or writing; tests give one that fails. */
export type OpenFile = (path: string, flags: number, mode?: number) => Promise<FileHandle>;

export function segmentName(number: number): string {
  return `${String(number).padStart(10, '0')}.spool`;
}

/** Undefined for a name that no segment has. */
export function segmentNumberOf(name: string): number | undefined {
  const digits = nameForm.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** @param spool a UUID */
export function segmentHeader({ spool, first }: SegmentHeader): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(segmentHeaderBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  bytes.set(Buffer.from(spool.replaceAll('-', ''), 'hex'), magic.length);
  view.setBigUint64(magic.length + 16, BigInt(first));
  view.setUint32(sumAt, crc32c(bytes, 0, sumAt));
  return bytes;
}

/** Undefined for octets that `segmentHeader` did not write. */
export function readSegmentHeader(bytes: Uint8Array<ArrayBuffer>): SegmentHeader | undefined {
  if (bytes.length < segmentHeaderBytes || !magic.equals(bytes.subarray(0, magic.length))) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(sumAt) !== crc32c(bytes, 0, sumAt)) return undefined;
  const first = Number(view.getBigUint64(magic.length + 16));
  if (!Number.isSafeInteger(first)) return undefined;
  const hex = Buffer.from(bytes.subarray(magic.length, magic.length + 16)).toString('hex');
  return { spool: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'), first };
}

/** For writing; it must not be there. */
export async function createSegment(path: string, openFile: OpenFile = open): Promise<FileHandle> {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
  try {
    return await openFile(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, 0o600);
  } catch (error) {
    throw spoolFault(path, faultReason(error), error);
  }
}

/** For reading. Throws ProxyError `audit_unavailable` for what another user could have made, or can write. */
export async function openSegment(path: string): Promise<FileHandle> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  let file: FileHandle | undefined;
  try {
    // A pipe at this name must not be waited for.
    file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const status = await file.stat();
    if (!status.isFile()) throw spoolFault(path, 'it is not a regular file');
    if (status.uid !== process.geteuid?.()) throw spoolFault(path, 'it is of another user');
    if (status.nlink !== 1) throw spoolFault(path, 'it has another name beside this one');
    if ((status.mode & 0o077) !== 0) throw spoolFault(path, 'others may use it; it was made with mode 600');
    return file;
  } catch (error) {
    await file?.close();
    throw error instanceof ProxyError ? error : spoolFault(path, faultReason(error), error);
  }
}

export function spoolFault(path: string, why: string, cause?: unknown): ProxyError {
  return new ProxyError('audit_unavailable', `The audit's spool ${path} cannot be used: ${why}.`, { cause });
}
