// What a bucket says of an archive, in a small file of its own. It promises nothing: what was promised is known before it is asked.

import { z } from 'zod';
import { HeaderList } from '../../http/header-list.ts';
import { type CacheEntry, entryName, keptHead } from './cache-entry.ts';

export type BucketEntry = Pick<CacheEntry, 'sha256' | 'bytes' | 'fields' | 'storedMs'>;

const bucketEntrySchema = z.strictObject({
  v: z.literal(1),
  key: z.string().max(16_384),
  promised: z.string().max(256),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().nonnegative(),
  fields: z.array(z.tuple([z.string().max(64), z.string().max(1024)])).max(16),
  storedMs: z.number().nonnegative(),
});

/** By what is asked for and what is promised of it, so that a name of a package never stands in that of a file. */
export const bucketEntryName = (key: string, promised: string): string =>
  `entries/${entryName(JSON.stringify([key, promised]))}`;

export const bucketObjectName = (sha256: string): string => `objects/${sha256}`;

export function encodeBucketEntry({ key, promised, sha256, bytes, fields, storedMs }: CacheEntry): string {
  return `${JSON.stringify({ v: 1, key, promised, sha256, bytes, fields, storedMs })}\n`;
}

/** Undefined for what is no entry, and for one of another request or promise. Its fields are those that the cache keeps of an origin. */
export function readBucketEntry(
  text: string,
  { key, promised, nowMs }: { readonly key: string; readonly promised: string; readonly nowMs: number },
): BucketEntry | undefined {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { success, data } = bucketEntrySchema.safeParse(said);
  if (!success || data.key !== key || data.promised !== promised) return undefined;
  const { sha256, bytes, storedMs } = data;
  const fields = keptHead(HeaderList.of(data.fields.map(([name, value]) => [name.toLowerCase(), value])));
  return {
    sha256,
    bytes,
    fields: fields.map(([name, value]) => [name, value]),
    storedMs: Math.min(storedMs, nowMs),
  };
}
