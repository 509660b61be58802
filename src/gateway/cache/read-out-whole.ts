// A file of the cache on its way to one client, checked as it goes: its last octets follow once all of it is what it was kept as.

import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { CacheEntry } from './cache-entry.ts';
import { handOn, type Reader, readOut, readOutBytes } from './read-out.ts';

/** False: it is not. Of a short one nothing was handed on then, of a longer one all but its end. */
export async function readOutWhole(
  handle: FileHandle,
  { bytes, sha256 }: Pick<CacheEntry, 'bytes' | 'sha256'>,
  reader: Reader,
  onBegin: () => void,
): Promise<boolean> {
  const hash = createHash('sha256');
  const endAt = Math.max(0, bytes - readOutBytes);
  const { receiver } = reader;
  const hashing: Reader = {
    ...reader,
    receiver: {
      onInformation: (status, rawHeaders) => receiver.onInformation(status, rawHeaders),
      onHead: (status, rawHeaders) => receiver.onHead(status, rawHeaders),
      onData: (chunk, resume) => {
        hash.update(chunk);
        return receiver.onData(chunk, resume);
      },
      onTrailers: (rawTrailers) => receiver.onTrailers(rawTrailers),
    },
  };
  if (endAt > 0) onBegin();
  await readOut(handle, { from: 0, to: endAt }, hashing);
  const last: Buffer[] = [];
  const gathering = {
    ...reader,
    receiver: { ...hashing.receiver, onData: (chunk: Uint8Array) => last.push(Buffer.from(chunk)) > 0 },
  };
  await readOut(handle, { from: endAt, to: bytes }, gathering);
  const end = Buffer.concat(last);
  if (hash.update(end).digest('hex') !== sha256) return false;
  if (endAt === 0) onBegin();
  await handOn(end, reader);
  return true;
}
