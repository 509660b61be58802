// The directory at the end of a zip archive: it has to say of each file what came of it, in the same order, and nothing else.

import { Buffer } from 'node:buffer';
import { type OctetSource, UnreadableModule } from './octet-source.ts';
import { fieldOf, large, numberAt, sizesIn, type ZipEntry } from './zip-fields.ts';

const directorySignature = 0x02014b50;
const end64Signature = 0x06064b50;
const locator64Signature = 0x07064b50;
const endSignature = 0x06054b50;

interface Directory {
  readonly count: number;
  readonly start: number;
  readonly bytes: number;
}

/** @param first the signature that was read already @throws UnreadableModule */
export async function endOfZip(
  source: OctetSource,
  first: number,
  entries: readonly ZipEntry[],
): Promise<void> {
  const start = source.position - 4;
  let signature = first;
  for (const entry of entries) {
    if (signature !== directorySignature) throw differs();
    await directoryEntry(source, entry);
    signature = (await source.take(4)).readUInt32LE(0);
  }
  if (signature === directorySignature) throw differs();
  const directory = { count: entries.length, start, bytes: source.position - 4 - start };
  const isLarge = signature === end64Signature;
  if (isLarge) {
    await end64(source, directory);
    signature = (await source.take(4)).readUInt32LE(0);
  }
  if (signature !== endSignature) throw new UnreadableModule('has something beside its files');
  await end(source, directory, isLarge);
  if ((await source.some()) !== undefined) throw new UnreadableModule('has something behind its end');
}

/** A file that only one of the two places names is read by some and not by others. */
const differs = (): UnreadableModule =>
  new UnreadableModule('has a directory that says something else than the files have');

async function directoryEntry(source: OctetSource, entry: ZipEntry): Promise<void> {
  const head = await source.take(42);
  const name = (await source.take(head.readUInt16LE(24))).toString('latin1');
  const extra = await source.take(head.readUInt16LE(26));
  await source.take(head.readUInt16LE(28));
  const sizes = sizesIn(extra, { packedBytes: head.readUInt32LE(16), bytes: head.readUInt32LE(20) });
  const [disk, place] = [head.readUInt16LE(30), head.readUInt32LE(38)];
  const field = fieldOf(extra, 1) ?? Buffer.alloc(0);
  const isPlaceFar = place === large;
  if (isPlaceFar && field.length < sizes.used + 8) throw differs();
  const isSame =
    name === entry.name &&
    disk === 0 &&
    head.readUInt16LE(4) === entry.flags &&
    head.readUInt16LE(6) === entry.method &&
    head.readUInt32LE(12) === entry.crc &&
    sizes.packedBytes === entry.packedBytes &&
    sizes.bytes === entry.bytes &&
    (isPlaceFar ? numberAt(field, sizes.used) : place) === entry.localStart;
  if (!isSame) throw differs();
}

/** APPNOTE 4.3.14 and 4.3.15, without data of its own. */
async function end64(source: OctetSource, { count, start, bytes }: Directory): Promise<void> {
  const at = source.position - 4;
  const head = await source.take(52);
  const locator = await source.take(20);
  const isSame =
    numberAt(head, 0) === 44 &&
    head.readUInt32LE(12) === 0 &&
    head.readUInt32LE(16) === 0 &&
    numberAt(head, 20) === count &&
    numberAt(head, 28) === count &&
    numberAt(head, 36) === bytes &&
    numberAt(head, 44) === start &&
    locator.readUInt32LE(0) === locator64Signature &&
    locator.readUInt32LE(4) === 0 &&
    numberAt(locator, 8) === at &&
    locator.readUInt32LE(16) === 1;
  if (!isSame) throw differs();
}

/** Where there is an end with 64 bits, one that has no room in this one may be left out of it. */
async function end(source: OctetSource, { count, start, bytes }: Directory, isLarge: boolean): Promise<void> {
  const head = await source.take(18);
  const isSaid = (said: number, is: number, none: number): boolean =>
    said === is || (isLarge && said === none);
  const isSame =
    head.readUInt16LE(0) === 0 &&
    head.readUInt16LE(2) === 0 &&
    isSaid(head.readUInt16LE(4), count, 0xffff) &&
    isSaid(head.readUInt16LE(6), count, 0xffff) &&
    isSaid(head.readUInt32LE(8), bytes, large) &&
    isSaid(head.readUInt32LE(12), start, large) &&
    head.readUInt16LE(16) === 0;
  if (!isSame) throw differs();
}
