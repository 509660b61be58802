// Reads the files of a zip archive (APPNOTE.TXT 6.3.10) one after the other, each whole and checked. Nothing is written, so no name leads anywhere.

import { constants, crc32, inflateRawSync } from 'node:zlib';
import type { FileWindow } from './file-window.ts';

/** What is wrong with an archive, as the end of a sentence: `the archive` … */
export class UnreadableZip extends Error {}

export interface ZipBounds {
  readonly filesMax: number;
  /** Of one file, unpacked. */
  readonly fileBytesMax: number;
  /** Of all files, unpacked. */
  readonly bytesMax: number;
}

export interface ZipFile {
  readonly name: string;
  readonly octets: Uint8Array;
}

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const locator64Signature = 0x07064b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;
const endLength = 22;
const entryLength = 46;
const localLength = 30;
const commentLengthMax = 0xffff;

interface Directory {
  readonly start: number;
  readonly bytes: number;
  readonly count: number;
}

interface Entry {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly localStart: number;
}

/** Those whose names are wanted, in the order of the directory. @throws UnreadableZip */
export function* zipFiles(
  { directory: listed, data }: { readonly directory: FileWindow; readonly data: FileWindow },
  bounds: ZipBounds,
  isWanted: (name: string) => boolean,
): Generator<ZipFile> {
  const directory = directoryOf(listed);
  if (directory.count > bounds.filesMax) throw new UnreadableZip('has too many files (advisoryRecordsMax)');
  let at = directory.start;
  const end = directory.start + directory.bytes;
  let [packed, unpacked] = [0, 0];
  for (let i = 0; i < directory.count; i++) {
    const { entry, length } = entryAt(listed, at, end);
    at += length;
    // Files that share their octets are how a small archive becomes a large one.
    packed += entry.packedBytes;
    if (packed > directory.start) throw new UnreadableZip('has files that overlap');
    if (!isWanted(entry.name)) continue;
    unpacked += entry.bytes;
    if (Math.max(entry.bytes, entry.packedBytes) > bounds.fileBytesMax)
      throw new UnreadableZip(`has a file that is too long: ${shown(entry.name)} (advisoryRecordBytesMax)`);
    if (unpacked > bounds.bytesMax) throw new UnreadableZip('is too long, unpacked (advisoryExportBytesMax)');
    yield { name: entry.name, octets: contentOf(entry, data, directory.start) };
  }
  if (at !== end) throw new UnreadableZip('has a directory of another length than it says');
}

function directoryOf(file: FileWindow): Directory {
  const endAt = findEnd(file);
  const end = file.at(endAt, endLength);
  const [disk, startDisk] = [end.readUInt16LE(4), end.readUInt16LE(6)];
  const plain = { count: end.readUInt16LE(10), bytes: end.readUInt32LE(12), start: end.readUInt32LE(16) };
  const isLarge = plain.count === 0xffff || plain.bytes === 0xffffffff || plain.start === 0xffffffff;
  if (!isLarge) {
    if (disk !== 0 || startDisk !== 0) throw new UnreadableZip('is a part of one in several files');
    return checkedDirectory(plain, endAt);
  }
  if (endAt < 20) throw new UnreadableZip('has no end of a large archive');
  const locator = file.at(endAt - 20, 20);
  if (locator.readUInt32LE(0) !== locator64Signature || locator.readUInt32LE(16) > 1)
    throw new UnreadableZip('has no end of a large archive');
  const end64At = numberAt(locator, 8);
  if (end64At + 56 > endAt - 20) throw new UnreadableZip('has no end of a large archive');
  const end64 = file.at(end64At, 56);
  if (end64.readUInt32LE(0) !== end64Signature) throw new UnreadableZip('has no end of a large archive');
  const large = { count: numberAt(end64, 32), bytes: numberAt(end64, 40), start: numberAt(end64, 48) };
  return checkedDirectory(large, end64At);
}

/** The directory is right before its end: another reader finds no other one. */
function checkedDirectory(directory: Directory, endAt: number): Directory {
  if (directory.start + directory.bytes !== endAt)
    throw new UnreadableZip('has a directory that is elsewhere than it says');
  return directory;
}

function findEnd(file: FileWindow): number {
  const from = Math.max(0, file.size - endLength - commentLengthMax);
  const tail = file.size < endLength ? undefined : file.at(from, file.size - from);
  if (tail !== undefined)
    for (let at = tail.length - endLength; at >= 0; at--) {
      if (tail.readUInt32LE(at) !== endSignature) continue;
      if (at + endLength + tail.readUInt16LE(at + 20) === tail.length) return from + at;
    }
  throw new UnreadableZip('is no zip archive, or was cut off');
}

function entryAt(
  file: FileWindow,
  at: number,
  end: number,
): { readonly entry: Entry; readonly length: number } {
  if (at + entryLength > end) throw new UnreadableZip('has a directory that was cut off');
  const head = file.at(at, entryLength);
  if (head.readUInt32LE(0) !== entrySignature) throw new UnreadableZip('has a directory that is none');
  const [nameLength, extraLength] = [head.readUInt16LE(28), head.readUInt16LE(30)];
  const length = entryLength + nameLength + extraLength + head.readUInt16LE(32);
  if (at + length > end) throw new UnreadableZip('has a directory that was cut off');
  const plain = {
    flags: head.readUInt16LE(8),
    method: head.readUInt16LE(10),
    crc: head.readUInt32LE(16),
    packedBytes: head.readUInt32LE(20),
    bytes: head.readUInt32LE(24),
    localStart: head.readUInt32LE(42),
  };
  const rest = file.at(at + entryLength, nameLength + extraLength);
  const name = rest.subarray(0, nameLength).toString('latin1');
  return { entry: { name, ...plain, ...largeSizes(plain, rest.subarray(nameLength)) }, length };
}

type Sizes = Pick<Entry, 'packedBytes' | 'bytes' | 'localStart'>;

/** What has no room in 32 bits is in a field of its own, in this order. */
function largeSizes(plain: Sizes, extra: Buffer): Partial<Sizes> {
  const names = (['bytes', 'packedBytes', 'localStart'] as const).filter((one) => plain[one] === 0xffffffff);
  if (names.length === 0) return {};
  for (let at = 0; at + 4 <= extra.length;) {
    const length = extra.readUInt16LE(at + 2);
    const field = extra.subarray(at + 4, at + 4 + length);
    if (extra.readUInt16LE(at) === 1 && field.length >= 8 * names.length)
      return Object.fromEntries(names.map((name, i) => [name, numberAt(field, 8 * i)]));
    at += 4 + length;
  }
  throw new UnreadableZip('has a large file without its length');
}

function numberAt(octets: Buffer, at: number): number {
  const value = octets.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new UnreadableZip('has a length that no file has');
  return Number(value);
}

const encryptedFlags = 0x2041;
const [stored, deflated] = [0, 8];

function contentOf(entry: Entry, file: FileWindow, directoryStart: number): Uint8Array {
  const { name, flags, method, localStart, packedBytes, bytes } = entry;
  const fault = (why: string): UnreadableZip => new UnreadableZip(`has a file ${why}: ${shown(name)}`);
  if ((flags & encryptedFlags) !== 0) throw fault('that is encrypted');
  if (localStart + localLength > directoryStart) throw fault('that is not in it');
  const head = file.at(localStart, localLength);
  const start = localStart + localLength + head.readUInt16LE(26) + head.readUInt16LE(28);
  if (
    head.readUInt32LE(0) !== localSignature ||
    head.readUInt16LE(8) !== method ||
    start + packedBytes > directoryStart
  )
    throw fault('that is not in it');
  if (file.at(localStart + localLength, head.readUInt16LE(26)).toString('latin1') !== name)
    throw fault('of two names');
  const packed = file.at(start, packedBytes);
  const octets = method === stored ? packed : method === deflated ? inflated(packed, bytes) : undefined;
  if (octets === undefined) throw fault('that is packed in a way that cannot be read');
  if (octets.length !== bytes || crc32(octets) !== entry.crc) throw fault('that is damaged');
  return octets;
}

/** Never more than what the directory says. */
function inflated(packed: Buffer, bytes: number): Uint8Array | undefined {
  try {
    return inflateRawSync(packed, {
      maxOutputLength: Math.max(1, bytes),
      finishFlush: constants.Z_FINISH,
    });
  } catch {
    return undefined;
  }
}

const shown = (name: string): string => JSON.stringify(name.slice(0, 100));
