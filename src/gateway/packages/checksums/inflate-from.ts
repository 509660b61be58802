// One deflated file out of octets in which more follows: where it ends is known only by unpacking it.

import type { Buffer } from 'node:buffer';
import type { Hash } from 'node:crypto';
import { createInflateRaw, type InflateRaw } from 'node:zlib';
import { type OctetSource, UnreadableModule } from './octet-source.ts';
import type { CameBytes } from './zip-fields.ts';

/** @param unpacked of the file so far @param packed of all that the archive has up to there @throws UnreadableModule where it may not be that long */
export type AssertFit = (unpacked: number, packed: number) => void;

/** What it has goes into the hash, and is not held. @throws UnreadableModule where it is none, or too long */
export async function inflateFrom(source: OctetSource, hash: Hash, assertFit: AssertFit): Promise<CameBytes> {
  const startsAt = source.position;
  const inflate = createInflateRaw();
  let bytes = 0;
  const broken = Promise.withResolvers<never>();
  const ended = Promise.withResolvers<undefined>();
  broken.promise.catch(() => undefined);
  inflate
    .on('data', (piece: Buffer) => {
      bytes += piece.length;
      try {
        assertFit(bytes, startsAt + inflate.bytesWritten);
        hash.update(piece);
      } catch (error) {
        broken.reject(error);
        inflate.destroy();
      }
    })
    .on('end', () => ended.resolve(undefined))
    .on('error', () => broken.reject(new UnreadableModule('has a file that cannot be unpacked')));
  try {
    for (;;) {
      const piece = await source.some();
      if (piece === undefined) throw new UnreadableModule('ends in the middle');
      const before = inflate.bytesWritten;
      await Promise.race([written(inflate, piece), broken.promise]);
      const taken = inflate.bytesWritten - before;
      if (taken === piece.length) continue;
      source.unread(piece.subarray(taken));
      await Promise.race([ended.promise, broken.promise]);
      return { packedBytes: inflate.bytesWritten, bytes };
    }
  } finally {
    inflate.destroy();
  }
}

function written(inflate: InflateRaw, piece: Buffer): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  // A fault is told by its event.
  inflate.write(piece, () => resolve(undefined));
  return promise;
}
