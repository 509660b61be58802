// What a request wants of the cache of archives, and from where it got it.

import type { ArchiveKey } from './cache-entry.ts';

/** From where an archive came: from the cache, by the fetch of another request, or from the origin, be it kept or not. */
export type ArchiveSource = 'hit' | 'joined' | 'fetched' | 'passed';
/** What became of the bucket, if there is one. */
type BucketCount = 'hit' | 'missed' | 'stored' | 'dropped' | 'failed' | 'damaged' | 'left';
export type CacheCount =
  | ArchiveSource
  | 'stored'
  | 'left'
  | 'damaged'
  | 'unwritable'
  | `bucket_${BucketCount}`;

export interface AskedArchive {
  readonly key: ArchiveKey;
  /** As `sha512-…` with base64. */
  readonly promised: string;
  /** What of it, as the client wrote it. */
  readonly range: string | undefined;
  /** Whether the origin is asked for a part where the cache has nothing. */
  readonly takesParts: boolean;
  /** Told before anything of the response; again if it has to come from elsewhere. */
  readonly onSource: (source: ArchiveSource) => void;
}
