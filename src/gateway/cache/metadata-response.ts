// The head of a response that is made of metadata that the cache has.

import type { CacheEntry } from './cache-entry.ts';
import type { Freshness } from './metadata-freshness.ts';

export interface MetadataHead {
  readonly status: 200 | 304;
  readonly rawHeaders: readonly string[];
}

export function metadataHead(
  { fields, bytes }: Pick<CacheEntry, 'fields' | 'bytes'>,
  freshness: Freshness,
  { isStale, ifNoneMatch }: { readonly isStale: boolean; readonly ifNoneMatch: readonly string[] },
): MetadataHead {
  const told = [...fields.flat(), 'age', String(freshness.ageSeconds)];
  // RFC 9211: for whoever wonders why nothing new comes.
  if (isStale) told.push('cache-status', 'upstreamproxy; hit; detail=stale-as-the-registry-is-away');
  const etag = freshness.stored.resh['etag'];
  if (etag !== undefined && ifNoneMatch.some((value) => namesTag(value, etag)))
    return { status: 304, rawHeaders: told };
  return { status: 200, rawHeaders: [...told, 'content-length', String(bytes)] };
}

/** As they are sent: how old it is, is said by the cache itself. */
export function fieldsOf({ stored }: Freshness): CacheEntry['fields'] {
  return Object.entries(stored.resh)
    .filter(([name]) => name !== 'age')
    .map(([name, value]): [string, string] => [name, value]);
}

/** RFC 9110 §13.1.2: compared weakly. */
function namesTag(value: string, etag: string): boolean {
  const plain = (tag: string): string => tag.trim().replace(/^W\//, '');
  return value.trim() === '*' || value.split(',').some((one) => plain(one) === plain(etag));
}
