// The cache of archives and metadata of packages: what it may cost in memory, descriptors and disk, and what may wait for a fetch.

import { KiB, MiB, fixedRow, type LimitRow, row } from './limit-row.ts';

export const cacheLimits = {
  cachedArchiveBytesMax: row(
    2048 * MiB,
    'limit_exceeded',
    'An archive that the cache keeps. Most packages have less than 10 MiB, and layers of images up to gigabytes. A longer one passes, and leaves room for others.',
  ),
  cacheDiskReserveBytes: fixedRow(
    512 * MiB,
    'limit_exceeded',
    'What of its disk the cache leaves free, or an eighth of a disk that has less than 4 GiB: the audit and the store may write the same disk. Where others take of that, archives leave.',
  ),
  cacheLookIntervalMs: row(
    300_000,
    'limit_exceeded',
    'How often a process looks at the folder of the cache. Other processes write it too, and what they wrote counts from then on. A look also lets archives leave where the disk has less free than `cacheDiskReserveBytes`.',
  ),
  cacheUntoldMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Archives, and registries, of which a session was told no promise a short while ago (`publishTimesAgainMs`): the registry is not asked again for them. Those leave first that were asked longest ago.',
  ),
  cacheFollowQuietMs: row(
    10_000,
    'timeout',
    'How long a request waits without data for the fetch of another one, or for what the registry promises. Then it asks the origin itself. A list comes as fast as the client that asked first reads it: whoever waits so long for one asks in its place, and what it gets is kept for all.',
  ),
  cacheAheadBytesMax: fixedRow(
    16 * MiB,
    'limit_exceeded',
    'How far a fetch for the cache may be ahead of the client that has taken most of it. Otherwise a session whose clients read nothing could have anything fetched.',
  ),
  cacheFetchesMax: fixedRow(
    1024,
    'limit_exceeded',
    'Archives that a process fetches for the cache at once, each with an open file. Further ones pass and are not kept.',
  ),
  cacheFollowersMax: fixedRow(
    1024,
    'limit_exceeded',
    'Requests that one fetch serves at once. Each further one asks the origin itself.',
  ),
  cacheTriesMax: fixedRow(
    3,
    'limit_exceeded',
    'How often a request waits for the fetch of another one that fails. Then it asks the origin itself.',
  ),
  cacheRetryMs: fixedRow(
    30_000,
    'limit_exceeded',
    'How long nothing is kept after the disk took nothing. Archives pass meanwhile.',
  ),
  cacheMetadataFreshMs: fixedRow(
    3_600_000,
    'limit_exceeded',
    'The longest that metadata of a registry counts as fresh, whatever the registry says. Then it is asked whether something changed.',
  ),
  cacheMetadataStaleMs: fixedRow(
    86_400_000,
    'limit_exceeded',
    'How long after a registry said it metadata is given to clients while the registry is away. A registry forbids it with `must-revalidate`, `no-cache` or `s-maxage`.',
  ),
  cacheAwayMs: fixedRow(
    10_000,
    'limit_exceeded',
    'How long a session that found a registry away does not ask it for metadata that the cache has. Else each package would wait for it.',
  ),
  cacheAwayPlacesMax: fixedRow(
    1024,
    'limit_exceeded',
    'Registries of which it is remembered that they are away, for each session that found it. The oldest makes room.',
  ),
  cachedFilesMax: fixedRow(
    500_000,
    'limit_exceeded',
    'Files in the folder of the cache, two for each archive. A look at all of them takes some seconds and 100 MB. Beyond it those leave that were not used for the longest.',
  ),
  cacheEntryBytesMax: fixedRow(
    64 * KiB,
    'limit_exceeded',
    'What the cache says of an archive, in a file of its own. A longer one counts as damaged.',
  ),
  cacheBucketArchiveBytesMax: row(
    128 * MiB,
    'limit_exceeded',
    'An archive that the bucket of the cache gets or gives. A longer one would keep those that wait for it too long: it comes from its origin.',
  ),
  cacheBucketAskMs: row(
    2000,
    'timeout',
    'How long a request waits for what the bucket says of an archive. A bucket that takes longer is left alone for `cacheRetryMs`, and archives come from their origins.',
  ),
  cacheBucketReadMs: row(
    5000,
    'timeout',
    'How long a request waits for an archive of the bucket, for nothing is sent before it is checked whole. Clients wait longer than that and `cacheBucketAskMs` together.',
  ),
  cacheBucketWriteMs: fixedRow(
    60_000,
    'timeout',
    'How long the bucket may take an archive. Nobody waits for that.',
  ),
  cacheBucketReadsMax: fixedRow(
    64,
    'limit_exceeded',
    'Archives that a process has the bucket asked for at once. Further ones come from their origins.',
  ),
  cacheBucketConnectionsMax: fixedRow(
    70,
    'limit_exceeded',
    'Connections of a process to the bucket: for each that reads or writes, and for who makes room there.',
  ),
  cacheBucketIdleMs: fixedRow(
    10_000,
    'timeout',
    'How long a connection to the bucket waits for the next request. Less than what services have, which would close it under a request.',
  ),
  cacheBucketWritersMax: fixedRow(
    4,
    'limit_exceeded',
    'Archives that a process writes to the bucket at once, so that those who install have the line.',
  ),
  cacheBucketQueueMax: fixedRow(
    1000,
    'limit_exceeded',
    'Archives that wait to be written to the bucket, 1 KB each. A further one is not written.',
  ),
  cacheBucketLookIntervalMs: row(
    3_600_000,
    'limit_exceeded',
    'How often a gateway counts what the bucket has of the cache, and removes what is beyond `keepBytes`. Each look is a request for each 1,000 objects.',
  ),
  cacheBucketLookMs: fixedRow(
    600_000,
    'timeout',
    'How long a look at the bucket takes, with what it removes. The next one goes on.',
  ),
  cacheBucketPagesMax: fixedRow(
    300,
    'limit_exceeded',
    'Pages of a list of the bucket, of 1,000 objects and some 200 KB in memory each. Where there are more, a sixteenth of what was seen leaves, what was stored first.',
  ),
  cacheBucketPageBytesMax: fixedRow(
    4 * MiB,
    'limit_exceeded',
    'A page of a list of the bucket, which has 1,000 names.',
  ),
  cacheBucketPageObjectsMax: fixedRow(
    1000,
    'limit_exceeded',
    'Objects of a page of a list of the bucket: no service of S3 gives more. A page with more is read so far.',
  ),
  cacheBucketTokenCharactersMax: fixedRow(
    2048,
    'limit_exceeded',
    'The token by which the next page of a list is asked for, which stands in an address. A list with a longer one ends there.',
  ),
  cacheBucketFaultBytesMax: fixedRow(
    16 * KiB,
    'limit_exceeded',
    'What the bucket says of a fault, of which the code alone is told.',
  ),
  cacheMemoryBytesMax: row(
    64 * MiB,
    'limit_exceeded',
    'Archives that a process has in its memory beside the folder. What was not used for the longest makes room.',
  ),
  cacheMemoryObjectBytesMax: fixedRow(
    256 * KiB,
    'limit_exceeded',
    'An archive that is in memory too. Most packages are shorter, and opening their file costs more than all else. Longer ones come from the disk alone.',
  ),
  cacheUsedStepMs: fixedRow(
    60_000,
    'limit_exceeded',
    'How exactly the folder knows when an archive was used, by which it leaves.',
  ),
  cacheSeenMax: fixedRow(
    10_000,
    'limit_exceeded',
    'Archives of which a process remembers the entry, some 1 KB, and that their file is whole. Of others it reads the whole file before it sends a part.',
  ),
} as const satisfies Record<string, LimitRow>;
