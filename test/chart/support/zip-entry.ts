// One file of a ZIP archive, which Node has no reader for.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

const endSignature = 0x06_05_4b_50;
const entrySignature = 0x02_01_4b_50;
/** The record at the end, with the longest comment. */
const tailBytesMax = 22 + 0xff_ff;

function readAt(file: number, position: number, length: number): Buffer {
  const octets = Buffer.alloc(length);
  if (readSync(file, octets, 0, length, position) !== length) throw new Error('the archive is cut');
  return octets;
}

/** The content of the entry with this name (APPNOTE.TXT §4.3, §4.4). Throws if there is none, or it is stored in another way. */
export function readZipEntry(path: string, name: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const tail = readAt(file, Math.max(0, size - tailBytesMax), Math.min(size, tailBytesMax));
    let end = tail.length - 22;
    while (end >= 0 && tail.readUInt32LE(end) !== endSignature) end -= 1;
    if (end < 0) throw new Error(`${path} is no ZIP archive`);
    const directory = readAt(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
    for (let at = 0; at < directory.length;) {
      if (directory.readUInt32LE(at) !== entrySignature) throw new Error(`${path}: its directory is damaged`);
      const [nameLength, extra, comment] = [28, 30, 32].map((place) => directory.readUInt16LE(at + place));
      const found = directory.toString('utf8', at + 46, at + 46 + nameLength!);
      if (found === name) return contentOf(file, directory.subarray(at));
      at += 46 + nameLength! + extra! + comment!;
    }
    throw new Error(`${path} has no ${name}`);
  } finally {
    closeSync(file);
  }
}

function contentOf(file: number, entry: Buffer): Buffer {
  const [method, packed, local] = [entry.readUInt16LE(10), entry.readUInt32LE(20), entry.readUInt32LE(42)];
  const head = readAt(file, local, 30);
  const octets = readAt(file, local + 30 + head.readUInt16LE(26) + head.readUInt16LE(28), packed);
  if (method === 0) return octets;
  if (method !== 8) throw new Error(`it is packed by method ${method}`);
  return inflateRawSync(octets);
}
