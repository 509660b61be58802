// A list from the store of which some is theirs who ask: page by page, until enough was found or looked at.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { ListPlace } from '../../store/list-place.ts';
import { isoTime } from './admin-parts.ts';

/** Records of one question to the store; between two the loop serves others. */
const scanBatch = 500;

export interface SeenListOptions<Item> {
  /** At most so many behind that place. */
  readonly page: (before: ListPlace | undefined, limit: number) => Promise<readonly Item[]>;
  readonly placeOf: (item: Item) => ListPlace;
  readonly sees: (item: Item) => boolean | Promise<boolean>;
  /** Where it goes on. */
  readonly before: ListPlace | undefined;
}

/** `next`: where there may be more. It names nothing that is not theirs. */
export interface SeenList<Item> {
  readonly items: readonly Item[];
  readonly next: string | undefined;
}

/** At most `adminListedMax` of those that they see, out of about `adminScannedEventsMax`. */
export async function seenList<Item>(options: SeenListOptions<Item>): Promise<SeenList<Item>> {
  const { page, placeOf, sees } = options;
  const { adminListedMax: listedMax, adminScannedEventsMax: scannedMax } = defaultLimits;
  const items: Item[] = [];
  let { before } = options;
  let scanned = 0;
  for (;;) {
    const found = await page(before, scanBatch);
    for (const item of found) {
      const place = placeOf(item);
      // Everything of one moment is looked at, so that the moment alone says where to go on.
      if (scanned >= scannedMax && place.ms !== before?.ms)
        return { items, next: before === undefined ? undefined : isoTime(before.ms) };
      scanned += 1;
      before = place;
      if (await sees(item)) items.push(item);
      if (items.length >= listedMax) return { items, next: place.id };
    }
    if (found.length < scanBatch) return { items, next: undefined };
    await nextTurn();
  }
}

const timePattern = /^\d{4}-\d\d-\d\dT[0-9:.]{1,12}Z$/;

/** The place that `next` of a page before named. @throws ProxyError usage, or what `find` throws */
export async function placeOfCursor(
  cursor: string | undefined,
  find: (id: string) => Promise<ListPlace>,
): Promise<ListPlace | undefined> {
  if (cursor === undefined) return undefined;
  if (!timePattern.test(cursor)) return await find(cursor);
  const ms = Date.parse(cursor);
  if (Number.isNaN(ms)) throw new ProxyError('usage', `before: ${cursor} is no time`);
  // No id is smaller than none.
  return { ms, id: '' };
}
