// What a request wants of the metadata of a package, and from where it got it.

import type { ArchiveKey } from './cache-entry.ts';
import type { MetadataCheck } from './metadata-fetch.ts';

/**
 * From where metadata came: it was fresh, another request asked for it, the registry said that it has not changed, the registry is away; or the
 * registry itself, be it kept or not.
 */
export type MetadataSource = 'hit' | 'joined' | 'revalidated' | 'stale' | 'fetched' | 'passed';
export type MetadataCount = MetadataSource | 'stored' | 'left' | 'damaged' | 'unwritable';

export interface AskedMetadata {
  readonly key: ArchiveKey;
  /** What of it the client asks for anew. */
  readonly cacheControl: string;
  /** Of the client, where what is sent is the document as it is. */
  readonly ifNoneMatch: readonly string[];
  /** The registry is asked whatever is there. */
  readonly isAskedAnew?: boolean;
  readonly check: () => MetadataCheck;
  /** Told before anything of the response, with the time when the registry said it. */
  readonly onSource: (source: MetadataSource, toldMs: number | undefined) => void;
}
