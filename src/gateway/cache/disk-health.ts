// Whether the disk of a cache takes what it is given. Where it does not, nothing is written for a while, and somebody is told once.

import { faultReason } from '../../protocol/fault-reason.ts';
import { asProxyError, type ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { isFullDisk } from './cache-folder.ts';
import type { CacheRoom } from './cache-room.ts';

export interface DiskHealthOptions {
  readonly room: Pick<CacheRoom, 'full'>;
  readonly clock: () => number;
  readonly onCount: (what: 'unwritable', count: number) => void;
  /** Told once, until it takes something again. */
  readonly onUnwritable: (reason: string) => void;
  readonly onFault: (error: ProxyError) => void;
}

export class DiskHealth {
  readonly #options: DiskHealthOptions;
  #sinceMs: number | undefined;
  #isTold = false;

  constructor(options: DiskHealthOptions) {
    this.#options = options;
  }

  get isUnwritable(): boolean {
    if (this.#sinceMs === undefined) return false;
    const ageMs = this.#options.clock() - this.#sinceMs;
    return ageMs >= 0 && ageMs < defaultLimits.cacheRetryMs;
  }

  readonly failed = (error: unknown): void => {
    const { clock, onCount, onUnwritable } = this.#options;
    this.#sinceMs = clock();
    onCount('unwritable', 1);
    if (isFullDisk(error)) void this.#makeRoom();
    if (this.#isTold) return;
    this.#isTold = true;
    onUnwritable(faultReason(error));
  };

  async #makeRoom(): Promise<void> {
    try {
      await this.#options.room.full();
    } catch (fault) {
      this.#options.onFault(asProxyError(fault));
    }
  }

  worked(): void {
    this.#sinceMs = undefined;
    this.#isTold = false;
  }
}
