// Archives as a peer writes them, also such as no honest one would.

import { Buffer } from 'node:buffer';
import { closeSync, openSync, writeSync } from 'node:fs';
import { crc32, deflateRawSync } from 'node:zlib';

export interface WrittenFile {
  readonly name: string;
  readonly text: string;
  readonly isStored?: boolean;
  /** What the directory says instead. */
  readonly said?: {
    readonly bytes?: number;
    readonly crc?: number;
    readonly flags?: number;
    readonly method?: number;
    readonly localStart?: number;
  };
  readonly localName?: string;
}

/** Written on, file by file; only the directory is in memory. */
export class ZipWriter implements Disposable {
  readonly #descriptor: number;
  readonly #isLarge: boolean;
  readonly #entries: Buffer[] = [];
  #at = 0;

  constructor(path: string, { isLarge = false } = {}) {
    this.#descriptor = openSync(path, 'w');
    this.#isLarge = isLarge;
  }

  get bytes(): number {
    return this.#at;
  }

  add({ name, text, isStored = false, said = {}, localName = name }: WrittenFile): void {
    const octets = Buffer.from(text);
    const packed = isStored ? octets : deflateRawSync(octets, { level: 1 });
    const method = said.method ?? (isStored ? 0 : 8);
    const crc = said.crc ?? crc32(octets);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(method, 8);
    local.writeUInt32LE(crc, 14);
    local.writeUInt32LE(packed.length, 18);
    local.writeUInt32LE(octets.length, 22);
    local.writeUInt16LE(Buffer.byteLength(localName), 26);
    const localStart = said.localStart ?? this.#at;
    this.#write(Buffer.concat([local, Buffer.from(localName), packed]));
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(20, 4);
    entry.writeUInt16LE(20, 6);
    entry.writeUInt16LE(said.flags ?? 0, 8);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(crc, 16);
    const sizes = [said.bytes ?? octets.length, packed.length, localStart];
    const places = [24, 20, 42];
    const extra = this.#isLarge ? Buffer.alloc(28) : Buffer.alloc(0);
    if (this.#isLarge) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
    }
    for (const [i, size] of sizes.entries()) {
      entry.writeUInt32LE(this.#isLarge ? 0xffffffff : size, places[i]!);
      if (this.#isLarge) extra.writeBigUInt64LE(BigInt(size), 4 + 8 * i);
    }
    entry.writeUInt16LE(Buffer.byteLength(name), 28);
    entry.writeUInt16LE(extra.length, 30);
    this.#entries.push(Buffer.concat([entry, Buffer.from(name), extra]));
  }

  end(comment = ''): void {
    const start = this.#at;
    for (const entry of this.#entries) this.#write(entry);
    const bytes = this.#at - start;
    const count = this.#entries.length;
    if (this.#isLarge) this.#endLarge(start, bytes, count);
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(this.#isLarge ? 0xffff : count, 8);
    end.writeUInt16LE(this.#isLarge ? 0xffff : count, 10);
    end.writeUInt32LE(this.#isLarge ? 0xffffffff : bytes, 12);
    end.writeUInt32LE(this.#isLarge ? 0xffffffff : start, 16);
    end.writeUInt16LE(Buffer.byteLength(comment), 20);
    this.#write(Buffer.concat([end, Buffer.from(comment)]));
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  #endLarge(start: number, bytes: number, count: number): void {
    const end64At = this.#at;
    const end64 = Buffer.alloc(56);
    end64.writeUInt32LE(0x06064b50, 0);
    end64.writeBigUInt64LE(44n, 4);
    end64.writeBigUInt64LE(BigInt(count), 24);
    end64.writeBigUInt64LE(BigInt(count), 32);
    end64.writeBigUInt64LE(BigInt(bytes), 40);
    end64.writeBigUInt64LE(BigInt(start), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(BigInt(end64At), 8);
    locator.writeUInt32LE(1, 16);
    this.#write(Buffer.concat([end64, locator]));
  }

  #write(octets: Buffer): void {
    writeSync(this.#descriptor, octets);
    this.#at += octets.length;
  }
}

export function writeZip(
  path: string,
  files: readonly WrittenFile[],
  options: { readonly isLarge?: boolean; readonly comment?: string } = {},
): void {
  using zip = new ZipWriter(path, options);
  for (const one of files) zip.add(one);
  zip.end(options.comment);
}
