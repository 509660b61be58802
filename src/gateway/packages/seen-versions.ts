// Versions of packages that gateways of this store saw, of registries that do not say when they came out.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { defaultLimits } from '../../protocol/limits.ts';
import type {
  FirstSeen,
  FirstSeenStore,
  SeenItem,
  SeenOwner,
  SeenPackage,
} from '../../store/first-seen-store.ts';
import type { AskedPackage } from './publish-times.ts';

/** Names of versions and files that exist are shorter. */
const itemLengthMax = 256;
/** So many are stored before others are served. */
const itemsAtOnce = 200;

export class SeenVersions {
  readonly #store: FirstSeenStore;
  readonly #clock: () => number;

  constructor(store: FirstSeenStore, clock: () => number) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Those that are known. @throws ProxyError store_unavailable */
  find(asked: AskedPackage, items: readonly string[]): Promise<ReadonlyMap<string, FirstSeen>> {
    return inParts(items, (some) => this.#store.find(seenIn(asked), some, this.#clock()));
  }

  /**
   * What the registry itself has told of: what nobody saw before is seen now, or `firstMs`, by which it was fixed what it is, in the name of `owner`.
   * @throws ProxyError store_unavailable
   */
  async see(
    asked: AskedPackage,
    items: readonly SeenItem[],
    owner: SeenOwner,
    firstMs?: number,
  ): Promise<ReadonlyMap<string, FirstSeen>> {
    const {
      firstSeenVersionsMax: max,
      firstSeenPromisesMax: promisedMax,
      firstSeenPerDayMax: ownerDayMax,
      firstSeenUnusedMs: unusedMs,
    } = defaultLimits;
    const fitting = items.filter(({ item }) => item.length <= itemLengthMax);
    const known = await this.find(
      asked,
      fitting.map(({ item }) => item),
    );
    // Most lists say what is known: nothing is written for those.
    const missing = fitting.filter(({ item, digest = '' }) => {
      const one = known.get(item);
      return one === undefined || (one.digest === '' && digest !== '');
    });
    const seen = await inParts(missing, (some) =>
      this.#store.see(seenIn(asked), some, {
        nowMs: this.#clock(),
        ...(firstMs === undefined ? {} : { firstMs }),
        max,
        promisedMax,
        unusedMs,
        owner,
        ownerDayMax,
      }),
    );
    return seen.size === 0 ? known : new Map([...known, ...seen]);
  }
}

async function inParts<Item>(
  items: readonly Item[],
  ask: (some: readonly Item[]) => Promise<ReadonlyMap<string, FirstSeen>>,
): Promise<ReadonlyMap<string, FirstSeen>> {
  const all = new Map<string, FirstSeen>();
  for (let from = 0; from < items.length; from += itemsAtOnce) {
    // A store in this process responds before anybody else has a turn.
    if (from > 0) await nextTurn();
    for (const [item, seen] of await ask(items.slice(from, from + itemsAtOnce))) all.set(item, seen);
  }
  return all;
}

/** Those who ask with other credentials may be told of other packages by the same name. */
function seenIn({ registry, root, name, credentials }: AskedPackage): SeenPackage {
  const { scheme, host, port, path } = root;
  return { source: JSON.stringify([registry, scheme, host, port, path, ...credentials]), name };
}
