// What headers of a zip archive say of a file, and the fields behind them.

import { Buffer } from 'node:buffer';
import { UnreadableModule } from './octet-source.ts';

export interface ZipEntry {
  /** Octet by octet. */
  readonly name: string;
  /** Of its content, in hexadecimal. */
  readonly hash: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly localStart: number;
}

export interface CameBytes {
  readonly packedBytes: number;
  readonly bytes: number;
}

/** It stands for a number that needs more than 32 bits. */
export const large = 0xffffffff;

/** Lengths that need more than 32 bits are in a field of their own (APPNOTE 4.5.3), in this order. */
export function sizesIn(
  extra: Buffer,
  { packedBytes, bytes }: CameBytes,
): CameBytes & { readonly used: number } {
  const field = fieldOf(extra, 1) ?? Buffer.alloc(0);
  let used = 0;
  const ofField = (said: number): number => {
    if (said !== large) return said;
    if (field.length < used + 8) throw new UnreadableModule('has a file without a length');
    used += 8;
    return numberAt(field, used - 8);
  };
  const whole = ofField(bytes);
  return { bytes: whole, packedBytes: ofField(packedBytes), used };
}

/** @throws UnreadableModule where the fields are cut, or one gives the file another name for some readers (APPNOTE 4.6.9) */
export function fieldOf(extra: Buffer, wanted: number): Buffer | undefined {
  let found: Buffer | undefined;
  for (let at = 0; at < extra.length;) {
    if (at + 4 > extra.length) throw new UnreadableModule('has a header with a field that is cut');
    const [id, length] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)];
    if (at + 4 + length > extra.length) throw new UnreadableModule('has a header with a field that is cut');
    if (id === 0x7075) throw new UnreadableModule('has a file with a second name');
    if (id === wanted) {
      if (found !== undefined) throw new UnreadableModule('has a header with a field twice');
      found = extra.subarray(at + 4, at + 4 + length);
    }
    at += 4 + length;
  }
  return found;
}

export function numberAt(octets: Buffer, at: number): number {
  const number = Number(octets.readBigUInt64LE(at));
  if (!Number.isSafeInteger(number)) throw new UnreadableModule('has a length that nothing has');
  return number;
}
