// Zip archives for tests, of which every part can be another one than it should be.

import { Buffer } from 'node:buffer';
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';

export interface ZippedFile {
  readonly name: string;
  readonly content: string | Uint8Array;
  readonly method?: number;
  /** Lengths stand behind the file, as go writes them. */
  readonly isDescribed?: boolean;
  /** Lengths are written with 64 bits. */
  readonly isLarge?: boolean;
  readonly extra?: Buffer;
  readonly flags?: number;
}

interface Place {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly start: number;
}

export interface ZipChanges {
  readonly before?: string;
  /** Before the directory. */
  readonly between?: string;
  readonly behind?: string;
  readonly comment?: string;
  readonly isLarge?: boolean;
  /** What the directory says of the files. */
  readonly directory?: (places: readonly Place[]) => readonly Place[];
  readonly end?: (end: Buffer) => void;
}

const ofBytes = (
  length: number,
  ...values: readonly (readonly [at: number, size: 2 | 4 | 8, value: number])[]
): Buffer => {
  const all = Buffer.alloc(length);
  for (const [at, size, value] of values)
    if (size === 8) all.writeBigUInt64LE(BigInt(value), at);
    else all.writeUIntLE(value, at, size);
  return all;
};

export function moduleZip(files: readonly ZippedFile[], changes: ZipChanges = {}): Buffer {
  const { before = '', between = '', behind = '', comment = '', isLarge = false } = changes;
  const parts: Buffer[] = [Buffer.from(before)];
  let at = parts[0]!.length;
  const put = (...more: readonly Buffer[]): void => {
    for (const one of more) {
      parts.push(one);
      at += one.length;
    }
  };
  const places = files.map((file) => {
    const { name, method = 8, isDescribed = true, extra = Buffer.alloc(0) } = file;
    const content = Buffer.from(file.content);
    const packed = method === 8 ? deflateRawSync(content) : content;
    const flags = file.flags ?? (isDescribed ? 0x808 : 0x800);
    const crc = crc32(content);
    const place: Place = {
      name,
      flags,
      method,
      crc,
      packedBytes: packed.length,
      bytes: content.length,
      start: at,
    };
    const said = isDescribed
      ? { crc: 0, packed: 0, bytes: 0 }
      : { crc, packed: packed.length, bytes: content.length };
    const large = file.isLarge === true;
    const field = large
      ? ofBytes(20, [0, 2, 1], [2, 2, 16], [4, 8, said.bytes], [12, 8, said.packed])
      : Buffer.alloc(0);
    const octets = Buffer.from(name, 'latin1');
    put(
      ofBytes(
        30,
        [0, 4, 0x04034b50],
        [4, 2, 20],
        [6, 2, flags],
        [8, 2, method],
        [14, 4, said.crc],
        [18, 4, large ? 0xffffffff : said.packed],
        [22, 4, large ? 0xffffffff : said.bytes],
        [26, 2, octets.length],
        [28, 2, field.length + extra.length],
      ),
      octets,
      field,
      extra,
      packed,
    );
    if (isDescribed && large)
      put(ofBytes(24, [0, 4, 0x08074b50], [4, 4, crc], [8, 8, packed.length], [16, 8, content.length]));
    else if (isDescribed)
      put(ofBytes(16, [0, 4, 0x08074b50], [4, 4, crc], [8, 4, packed.length], [12, 4, content.length]));
    return place;
  });
  put(Buffer.from(between));
  const start = at;
  const told = changes.directory?.(places) ?? places;
  for (const { name, flags, method, crc, packedBytes, bytes, start: place } of told) {
    const octets = Buffer.from(name, 'latin1');
    put(
      ofBytes(
        46,
        [0, 4, 0x02014b50],
        [6, 2, 20],
        [8, 2, flags],
        [10, 2, method],
        [16, 4, crc],
        [20, 4, packedBytes],
        [24, 4, bytes],
        [28, 2, octets.length],
        [42, 4, place],
      ),
      octets,
    );
  }
  const bytes = at - start;
  if (isLarge) {
    const end64 = at;
    put(
      ofBytes(
        56,
        [0, 4, 0x06064b50],
        [4, 8, 44],
        [24, 8, told.length],
        [32, 8, told.length],
        [40, 8, bytes],
        [48, 8, start],
      ),
      ofBytes(20, [0, 4, 0x07064b50], [8, 8, end64], [16, 4, 1]),
    );
  }
  const [count, length, place] = isLarge ? [0xffff, 0xffffffff, 0xffffffff] : [told.length, bytes, start];
  const end = ofBytes(
    22,
    [0, 4, 0x06054b50],
    [8, 2, count],
    [10, 2, count],
    [12, 4, length],
    [16, 4, place],
    [20, 2, comment.length],
  );
  changes.end?.(end);
  put(end, Buffer.from(comment), Buffer.from(behind));
  return Buffer.concat(parts);
}

/** By its directory alone, as go reads it. Undefined: it can't be read so. */
export function filesByDirectory(zip: Buffer): Readonly<Record<string, Buffer>> | undefined {
  try {
    const end = zip.lastIndexOf(Buffer.from('PK\u0005\u0006'));
    let at = zip.readUInt32LE(end + 16);
    const files: Record<string, Buffer> = {};
    for (let i = zip.readUInt16LE(end + 10); i > 0; i--) {
      if (zip.readUInt32LE(at) !== 0x02014b50) return undefined;
      const [method, packedBytes, bytes] = [
        zip.readUInt16LE(at + 10),
        zip.readUInt32LE(at + 20),
        zip.readUInt32LE(at + 24),
      ];
      const [named, extra, said] = [
        zip.readUInt16LE(at + 28),
        zip.readUInt16LE(at + 30),
        zip.readUInt16LE(at + 32),
      ];
      const name = zip.toString('latin1', at + 46, at + 46 + named);
      const local = zip.readUInt32LE(at + 42);
      if (zip.readUInt32LE(local) !== 0x04034b50) return undefined;
      const from = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const packed = zip.subarray(from, from + packedBytes);
      const content = method === 8 ? inflateRawSync(packed) : packed;
      if (content.length !== bytes || crc32(content) !== zip.readUInt32LE(at + 16)) return undefined;
      files[name] = content;
      at += 46 + named + extra + said;
    }
    return files;
  } catch {
    return undefined;
  }
}
