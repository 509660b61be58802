// What this process remembers of the cache, so that the disk is asked for the octets alone.

import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { defaultLimits } from '../../protocol/limits.ts';
import { clientLeft } from '../forward/forwarder.ts';
import type { CacheEntry } from './cache-entry.ts';

export class SeenArchives {
  /** By their keys, the newest last. */
  readonly #entries = new Map<string, CacheEntry>();
  /** Objects that were seen whole. */
  readonly #whole = new Set<string>();
  #isChecking = false;

  entry(key: string): CacheEntry | undefined {
    return this.#entries.get(key);
  }

  /** One at a time, for it costs as much as all of the archive. Undefined: another one is looked at. */
  async lookWhole(
    { sha256, bytes }: Pick<CacheEntry, 'sha256' | 'bytes'>,
    handle: FileHandle,
    signal: AbortSignal,
  ): Promise<boolean | undefined> {
    if (this.#whole.has(sha256)) return true;
    if (this.#isChecking) return undefined;
    this.#isChecking = true;
    try {
      const hash = createHash('sha256');
      const stream = handle.createReadStream({ start: 0, end: Math.max(0, bytes - 1), autoClose: false });
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        if (signal.aborted) throw clientLeft();
        hash.update(chunk);
      }
      if (hash.digest('hex') !== sha256) return false;
      this.sawWhole(sha256);
      return true;
    } finally {
      this.#isChecking = false;
    }
  }

  /** Its object is there. */
  saw(entry: CacheEntry): void {
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
    bound(this.#entries);
  }

  sawWhole(sha256: string): void {
    this.#whole.delete(sha256);
    this.#whole.add(sha256);
    bound(this.#whole);
  }

  /** Gives whether it was remembered, and not only read. */
  forget(entry: CacheEntry): boolean {
    this.#whole.delete(entry.sha256);
    const isRemembered = this.#entries.get(entry.key) === entry;
    this.#entries.delete(entry.key);
    return isRemembered;
  }
}

function bound(seen: Map<string, unknown> | Set<string>): void {
  for (const oldest of seen.keys()) {
    if (seen.size <= defaultLimits.cacheSeenMax) break;
    seen.delete(oldest);
  }
}
