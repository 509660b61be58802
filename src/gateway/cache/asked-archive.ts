// What a request wants of the cache of archives, from where it got it, and what the cache is opened with.

import type { ProxyError } from '../../protocol/error.ts';
import type { HeldOctets } from '../../protocol/held-octets.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { ArchiveKey } from './cache-entry.ts';
import type { CacheFolder } from './cache-folder.ts';

/** From where an archive came: from the cache, by the fetch of another request, or from the origin, be it kept or not. */
export type ArchiveSource = 'hit' | 'joined' | 'fetched' | 'passed';
export type CacheCount = ArchiveSource | 'stored' | 'left' | 'damaged' | 'unwritable';

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

export interface PackageCacheOptions {
  readonly folder: CacheFolder;
  readonly keepBytes: number;
  /** Who is served by what one session fetched. */
  readonly share: 'all' | 'principal';
  readonly limits: Limits;
  readonly held: HeldOctets;
  readonly clock: () => number;
  readonly onCount: (what: CacheCount, count: number) => void;
  /** Told once, until it takes something again. */
  readonly onUnwritable: (reason: string) => void;
  readonly onFault: (error: ProxyError) => void;
}
