// An executable without its symbols and debugging sections, which is a fifth of Node's. What `strip` gives depends on its version, and that of
// one architecture does not know the files of another.

const headerBytes = 64;
const sectionBytes = 64;
const isLoaded = 2n;

interface Section {
  readonly header: Buffer;
  readonly type: number;
  readonly isLoaded: boolean;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
}

const noData = 8;

/**
 * The ELF file without the sections that are not loaded. These have to stand behind all others, as linkers put them: then the
 * loaded sections keep their numbers and places.
 * @throws Error for another kind of file or another order
 */
export function stripSymbols(file: Buffer): Buffer {
  if (file.length < headerBytes || file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    throw new Error('it is no ELF file of 64 bits, little-endian');
  const names = file.readUInt16LE(62);
  const all = sectionsOf(file);
  const count = all.findIndex((section, index) => index > 0 && !section.isLoaded);
  const kept = count < 0 ? all : all.slice(0, count);
  if (all.slice(kept.length).some((section) => section.isLoaded))
    throw new Error('a section that is loaded stands behind one that is not');
  if (kept.some(({ link }) => link >= kept.length))
    throw new Error('a section that is loaded needs one that is not');
  const nameSection = all[names];
  if (nameSection === undefined) throw new Error('its sections have no names');

  const end = Math.max(
    endOfSegments(file),
    ...kept.map((one) => one.offset + (one.type === noData ? 0 : one.size)),
  );
  const nameText = file.subarray(nameSection.offset, nameSection.offset + nameSection.size);
  const nameHeader = Buffer.from(nameSection.header);
  nameHeader.writeBigUInt64LE(BigInt(end), 24);
  const table = aligned(end + nameText.length);
  const head = Buffer.from(file.subarray(0, headerBytes));
  head.writeBigUInt64LE(BigInt(table), 40);
  head.writeUInt16LE(kept.length + 1, 60);
  head.writeUInt16LE(kept.length, 62);
  return Buffer.concat([
    head,
    file.subarray(headerBytes, end),
    nameText,
    Buffer.alloc(table - end - nameText.length),
    ...kept.map(({ header }) => header),
    nameHeader,
  ]);
}

const aligned = (offset: number): number => Math.ceil(offset / 8) * 8;

function sectionsOf(file: Buffer): readonly Section[] {
  const table = Number(file.readBigUInt64LE(40));
  const count = file.readUInt16LE(60);
  return Array.from({ length: count }, (_, index) => {
    const header = file.subarray(table + index * sectionBytes, table + (index + 1) * sectionBytes);
    return {
      header,
      type: header.readUInt32LE(4),
      isLoaded: (header.readBigUInt64LE(8) & isLoaded) !== 0n,
      offset: Number(header.readBigUInt64LE(24)),
      size: Number(header.readBigUInt64LE(32)),
      link: header.readUInt32LE(40),
    };
  });
}

/** Behind the last byte that the kernel maps. */
function endOfSegments(file: Buffer): number {
  const table = Number(file.readBigUInt64LE(32));
  const bytes = file.readUInt16LE(54);
  const count = file.readUInt16LE(56);
  const ends = Array.from({ length: count }, (_, index) => {
    const at = table + index * bytes;
    return Number(file.readBigUInt64LE(at + 8)) + Number(file.readBigUInt64LE(at + 32));
  });
  return Math.max(0, ...ends);
}
