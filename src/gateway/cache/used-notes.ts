// When archives were used, as the folder is told it: at most so often, one after the other, and while nobody waits.

import { defaultLimits } from '../../protocol/limits.ts';
import type { CacheEntry } from './cache-entry.ts';
import type { CacheFolder } from './cache-folder.ts';

type Used = Pick<CacheEntry, 'key' | 'sha256'>;

export class UsedNotes {
  readonly #folder: Pick<CacheFolder, 'used'>;
  readonly #usedMs = new Map<string, { readonly entry: Used; readonly ms: number }>();

  constructor(folder: Pick<CacheFolder, 'used'>) {
    this.#folder = folder;
  }

  add(entry: Used, ms: number): void {
    if (this.#usedMs.size >= defaultLimits.cacheSeenMax) return;
    this.#usedMs.set(entry.key, { entry, ms });
  }

  /** What cannot be noted is not. Never rejects. */
  async tell(): Promise<void> {
    const all = [...this.#usedMs.values()];
    this.#usedMs.clear();
    for (const { entry, ms } of all) await this.#folder.used(entry, ms).catch(() => undefined);
  }
}
