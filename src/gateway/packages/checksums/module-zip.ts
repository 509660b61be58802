// What go.sum has of a module's zip (`h1`, golang.org/x/mod/sumdb/dirhash), of the archive as it passes. Readers of zip archives differ: some go by the
// local headers, some by the directory at the end. Here both have to say the same, with nothing between, before and behind them.

import { createHash, type Hash } from 'node:crypto';
import { defaultLimits, type Limits } from '../../../protocol/limits.ts';
import { type AssertFit, inflateFrom } from './inflate-from.ts';
import { type OctetSource, UnreadableModule } from './octet-source.ts';
import { endOfZip } from './zip-end.ts';
import { type CameBytes, fieldOf, numberAt, sizesIn, type ZipEntry } from './zip-fields.ts';

type ModuleBounds = Pick<
  Limits,
  'moduleFilesMax' | 'moduleBytesMax' | 'moduleFreeBytesMax' | 'moduleRatioMax'
>;

const localSignature = 0x04034b50;
const descriptorSignature = 0x08074b50;
const [stored, deflated] = [0, 8];
/** Names in UTF-8, how it was packed, and sizes behind the file. */
const knownFlags = 0x0800 | 0x0008 | 0x0006;
const descriptorFlag = 0x0008;
/** Beside its name. */
const entryRoom = 320;

/**
 * As `h1-` with base64. @param keep takes room for what is remembered of its files
 * @throws UnreadableModule where go could read something else, or nothing
 */
export async function hashOfModule(
  source: OctetSource,
  keep: (octets: number) => void,
  bounds: ModuleBounds = defaultLimits,
): Promise<string> {
  const entries: ZipEntry[] = [];
  let unpacked = 0;
  let signature = (await source.take(4)).readUInt32LE(0);
  for (; signature === localSignature; signature = (await source.take(4)).readUInt32LE(0)) {
    if (entries.length >= bounds.moduleFilesMax)
      throw new UnreadableModule('has too many files (moduleFilesMax)');
    const before = unpacked;
    const entry = await entryFrom(source, (bytes, packedBytes) =>
      assertFits(before + bytes, packedBytes, bounds),
    );
    keep(entryRoom + 2 * entry.name.length);
    unpacked += entry.bytes;
    entries.push(entry);
  }
  await endOfZip(source, signature, entries);
  return `h1-${hashOfEntries(entries)}`;
}

/** Of a go.mod alone. */
export class ModFileHash {
  readonly #hash = createHash('sha256');

  push(octets: Uint8Array): void {
    this.#hash.update(octets);
  }

  end(): string {
    const all = createHash('sha256').update(`${this.#hash.digest('hex')}  go.mod\n`);
    return `h1-${all.digest('base64')}`;
  }
}

function hashOfEntries(entries: readonly ZipEntry[]): string {
  const all = createHash('sha256');
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const [i, { name, hash }] of sorted.entries()) {
    if (name === sorted[i - 1]?.name) throw new UnreadableModule('has two files of one name');
    if (name.includes('\n')) throw new UnreadableModule('has a file with a line end in its name');
    all.update(`${hash}  ${name}\n`, 'latin1');
  }
  return all.digest('base64');
}

/** What follows the signature of its header. */
async function entryFrom(source: OctetSource, assertFit: AssertFit): Promise<ZipEntry> {
  const localStart = source.position - 4;
  const head = await source.take(26);
  const [flags, method] = [head.readUInt16LE(2), head.readUInt16LE(4)];
  const name = (await source.take(head.readUInt16LE(22))).toString('latin1');
  const extra = await source.take(head.readUInt16LE(24));
  const said = { packedBytes: head.readUInt32LE(14), bytes: head.readUInt32LE(18) };
  const { packedBytes, bytes } = sizesIn(extra, said);
  const isLarge = fieldOf(extra, 1) !== undefined;
  const isDescribed = (flags & descriptorFlag) !== 0;
  if ((flags & ~knownFlags) !== 0)
    throw new UnreadableModule('has a file that is encrypted, or packed unusually');
  if (method !== stored && method !== deflated)
    throw new UnreadableModule('has a file that is packed in another way than go does');
  const hash = createHash('sha256');
  const came =
    method === deflated
      ? await inflateFrom(source, hash, assertFit)
      : await storedFrom(source, hash, packedBytes, assertFit);
  const crc = isDescribed ? await descriptorFrom(source, came, isLarge) : head.readUInt32LE(10);
  const isAsSaid = packedBytes === came.packedBytes && bytes === came.bytes;
  const isLeftOpen = isDescribed && packedBytes === 0 && bytes === 0;
  if (!isAsSaid && !isLeftOpen)
    throw new UnreadableModule('has a file of another length than its header says');
  return { name, hash: hash.digest('hex'), flags, method, crc, ...came, localStart };
}

/** @throws UnreadableModule where so many octets, unpacked, are too many for a module of which that much has come */
function assertFits(unpacked: number, packed: number, bounds: ModuleBounds): void {
  const { moduleBytesMax, moduleFreeBytesMax, moduleRatioMax } = bounds;
  if (unpacked > moduleBytesMax)
    throw new UnreadableModule('is longer, unpacked, than a module may be (moduleBytesMax)');
  if (unpacked > moduleFreeBytesMax + moduleRatioMax * packed)
    throw new UnreadableModule(
      'is far longer unpacked than packed, as no module is that somebody wrote (moduleRatioMax)',
    );
}

async function storedFrom(
  source: OctetSource,
  hash: Hash,
  length: number,
  assertFit: AssertFit,
): Promise<CameBytes> {
  assertFit(length, source.position + length);
  for (let missing = length; missing > 0;) {
    const piece = await source.some();
    if (piece === undefined) throw new UnreadableModule('ends in the middle');
    hash.update(piece.subarray(0, missing));
    source.unread(piece.subarray(missing));
    missing -= Math.min(missing, piece.length);
  }
  return { packedBytes: length, bytes: length };
}

/** APPNOTE 4.3.9, with the signature that all who write modules put there. Gives the checksum. */
async function descriptorFrom(source: OctetSource, came: CameBytes, isLarge: boolean): Promise<number> {
  const said = await source.take(isLarge ? 24 : 16);
  const packedBytes = isLarge ? numberAt(said, 8) : said.readUInt32LE(8);
  const bytes = isLarge ? numberAt(said, 16) : said.readUInt32LE(12);
  const isAsSaid = packedBytes === came.packedBytes && bytes === came.bytes;
  if (said.readUInt32LE(0) !== descriptorSignature || !isAsSaid)
    throw new UnreadableModule('says something else behind a file than what it has');
  return said.readUInt32LE(4);
}
