// Connections to origins, kept apart by everything that must not be shared: principal, destination,
// the networks that the rule opens and the TLS identity. One pool per such key, bounded and idle-closed.

import { createHash } from 'node:crypto';
import type { Destination } from '../http/destination.ts';
import { formatAuthority } from '../http/authority.ts';
import type { ForwardRequest, UpstreamTls } from './forwarder.ts';

/** More keys than this: the one unused for longest is closed. */
const poolsMax = 4096;
/** A pool without a request for this long is closed. */
const poolIdleMs = 60_000;
const sweepIntervalMs = 15_000;

export interface OriginKey {
  readonly destination: Destination;
  readonly principalId: string;
  readonly addresses: readonly string[];
  readonly tls?: UpstreamTls;
}

interface Entry<P> {
  readonly pool: P;
  lastUsedMs: number;
  inUse: number;
}

/** The key of a request, and nothing else of it: a pool keeps its key for as long as it lives. */
export function originKeyOf({ head, principalId, addresses, tls }: ForwardRequest): OriginKey {
  const { destination } = head;
  return tls === undefined
    ? { destination, principalId, addresses }
    : { destination, principalId, addresses, tls };
}

/** What differs here must never share a connection. */
export function originKeyText(key: OriginKey): string {
  const tls =
    key.tls === undefined ? '' : createHash('sha256').update(JSON.stringify(key.tls)).digest('base64url');
  const { destination } = key;
  return JSON.stringify([
    key.principalId,
    destination.scheme,
    formatAuthority(destination),
    key.addresses,
    tls,
  ]);
}

/** A bounded map of pools by key. `use` opens one on demand; `release` ends the use. */
export class OriginPools<P> implements Disposable {
  readonly #entries = new Map<string, Entry<P>>();
  readonly #open: (key: OriginKey) => P;
  readonly #close: (pool: P) => void;
  readonly #timer: NodeJS.Timeout;

  constructor(open: (key: OriginKey) => P, close: (pool: P) => void) {
    this.#open = open;
    this.#close = close;
    this.#timer = setInterval(() => {
      this.#sweep(Date.now());
    }, sweepIntervalMs);
    this.#timer.unref();
  }

  get size(): number {
    return this.#entries.size;
  }

  use(key: OriginKey): { readonly pool: P; readonly release: () => void } {
    const text = originKeyText(key);
    let entry = this.#entries.get(text);
    if (entry === undefined) {
      this.#makeRoom();
      entry = { pool: this.#open(key), lastUsedMs: Date.now(), inUse: 0 };
    } else {
      this.#entries.delete(text);
    }
    // Re-inserted last: the map's order is the order of use.
    this.#entries.set(text, entry);
    const used = entry;
    used.inUse += 1;
    let released = false;
    return {
      pool: used.pool,
      release: () => {
        if (released) return;
        released = true;
        used.inUse -= 1;
        used.lastUsedMs = Date.now();
      },
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const { pool } of this.#entries.values()) this.#close(pool);
    this.#entries.clear();
  }

  #makeRoom(): void {
    if (this.#entries.size < poolsMax) return;
    for (const [text, entry] of this.#entries) {
      if (entry.inUse > 0) continue;
      this.#entries.delete(text);
      this.#close(entry.pool);
      return;
    }
  }

  #sweep(nowMs: number): void {
    for (const [text, entry] of this.#entries) {
      if (entry.inUse > 0 || nowMs - entry.lastUsedMs < poolIdleMs) continue;
      this.#entries.delete(text);
      this.#close(entry.pool);
    }
  }
}
