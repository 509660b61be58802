// What a bucket has of the cache, and room in it: what was stored first leaves first. It knows no time of last use.

import { defaultLimits } from '../../protocol/limits.ts';
import type { BucketClient } from './bucket-client.ts';
import type { BucketObject } from './bucket-page.ts';

/** When something leaves, so much more leaves that the next look has nothing to do. */
const spareShare = 16;

export interface BucketStats {
  readonly archives: number;
  readonly bytes: number;
  /** False: there is more than was looked at. */
  readonly isAll: boolean;
}

interface Listed {
  readonly objects: readonly BucketObject[];
  readonly isAll: boolean;
}

type Pages = Pick<BucketClient, 'page'>;

/** @throws as BucketClient */
export async function bucketStats(client: Pages, signal: AbortSignal): Promise<BucketStats> {
  const { objects, isAll } = await listed(client, signal);
  const archives = objects.filter(({ kind }) => kind === 'entry').length;
  return { archives, bytes: bytesOf(objects), isAll };
}

/** Removes what is too much. Several gateways may do so at once, and remove the same. Gives how many objects left. @throws as BucketClient */
export async function makeRoom(
  client: Pages & Pick<BucketClient, 'remove'>,
  keepBytes: number,
  signal: AbortSignal,
): Promise<number> {
  const { objects, isAll } = await listed(client, signal);
  let bytes = bytesOf(objects);
  if (bytes <= keepBytes && isAll) return 0;
  const bytesMax = keepBytes - keepBytes / spareShare;
  const countMax = isAll ? Infinity : objects.length - objects.length / spareShare;
  let [left, count] = [0, objects.length];
  for (const { name, bytes: size } of objects.toSorted((a, b) => a.storedMs - b.storedMs)) {
    if (bytes <= bytesMax && count <= countMax) break;
    await client.remove(name, signal);
    bytes -= size;
    count -= 1;
    left += 1;
  }
  return left;
}

async function listed(client: Pages, signal: AbortSignal): Promise<Listed> {
  const objects: BucketObject[] = [];
  let token: string | undefined;
  for (let pages = 0; pages < defaultLimits.cacheBucketPagesMax; pages += 1) {
    const page = await client.page(token, signal);
    objects.push(...page.objects);
    if (page.next === undefined) return { objects, isAll: true };
    token = page.next;
  }
  return { objects, isAll: false };
}

const bytesOf = (objects: readonly BucketObject[]): number =>
  objects.reduce((sum, { bytes }) => sum + bytes, 0);
