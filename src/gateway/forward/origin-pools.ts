// Connections to origins, kept apart by everything that must not be shared: session, destination, the networks that the rule
// opens, its credentials and the TLS identity. One pool per such key, bounded and idle-closed.

import { createHash } from 'node:crypto';
import type { Destination } from '../../http/destination.ts';
import { formatAuthority } from '../../http/authority.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import type { DialRequest, DialResult } from '../../net/dialer.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { ForwardRequest, UpstreamTls } from './forwarder.ts';

/** A pool without a request for this long is closed. */
const poolIdleMs = 60_000;
const sweepIntervalMs = 15_000;

export interface OriginKey {
  readonly destination: Destination;
  readonly principalId: string;
  readonly sessionId: string;
  readonly addresses: readonly string[];
  /** What may be on its requests: authentication of a whole connection (NTLM, Negotiate) stays with one set of credentials. */
  readonly credentials: readonly string[];
  /** Behind a body another request may follow, which then is none that is judged. */
  readonly isKeptAfterBody: boolean;
  readonly tls?: UpstreamTls | undefined;
  /** The way out that the rule names. */
  readonly exit?: string | undefined;
  /** Told to the proxy that the connection goes through. */
  readonly via?: string | undefined;
}

/** Dials for the pool of a key. */
export interface OriginDialer {
  dial(request: DialRequest & OriginKey): Promise<DialResult>;
}

interface Entry<P> {
  readonly text: string;
  readonly key: OriginKey;
  readonly pool: P;
  lastUsedMs: number;
  inUse: number;
}

type Owner = Pick<OriginKey, 'principalId' | 'sessionId'>;

/** The key of a request, and nothing else of it: a pool keeps its key for as long as it lives. */
export function originKeyOf(request: ForwardRequest): OriginKey {
  const { head, principalId, sessionId, addresses, credentials, tls, exit, via } = request;
  const { destination } = head;
  return {
    destination,
    principalId,
    sessionId,
    addresses,
    credentials: credentials.length < 2 ? credentials : credentials.toSorted(),
    isKeptAfterBody: request.isKeptAfterBody === true,
    tls,
    exit,
    via,
  };
}

/** What differs here must never share a connection. */
export function originKeyText(key: OriginKey): string {
  const tls =
    key.tls === undefined ? '' : createHash('sha256').update(JSON.stringify(key.tls)).digest('base64url');
  const { destination } = key;
  const { principalId, sessionId, addresses, credentials, isKeptAfterBody, exit, via } = key;
  const { scheme } = destination;
  return (
    `${scheme} ${isKeptAfterBody ? 'kept' : 'closed'} ${tls} ${via === undefined ? '-' : sized(via)}${exit === undefined ? '-' : sized(exit)}` +
    sized(principalId) +
    sized(sessionId) +
    sized(formatAuthority(destination)) +
    listed(addresses) +
    listed(credentials)
  );
}

/** Whether both have one text, seen without making it: false where that would take longer. */
function isSameKey(one: OriginKey, other: OriginKey): boolean {
  return (
    one.destination.host === other.destination.host &&
    one.destination.port === other.destination.port &&
    one.destination.scheme === other.destination.scheme &&
    one.principalId === other.principalId &&
    one.sessionId === other.sessionId &&
    one.isKeptAfterBody === other.isKeptAfterBody &&
    one.tls === other.tls &&
    one.exit === other.exit &&
    one.via === other.via &&
    isSameList(one.addresses, other.addresses) &&
    isSameList(one.credentials, other.credentials)
  );
}

function isSameList(one: readonly string[], other: readonly string[]): boolean {
  if (one === other) return true;
  return one.length === other.length && one.every((text, at) => text === other[at]);
}

/** Behind its length, so that no two lists of texts give one text. */
function sized(text: string): string {
  return `${String(text.length)}:${text}`;
}

function listed(texts: readonly string[]): string {
  let all = `${String(texts.length)},`;
  for (const text of texts) all += sized(text);
  return all;
}

type PoolLimits = Pick<Limits, 'originPoolsMax' | 'originPoolsPerPrincipalMax' | 'originPoolsPerSessionMin'>;

/**
 * A bounded map of pools by key. `use` opens one on demand, for which the one unused for longest makes room; `release`
 * ends the use. With every pool in use the next one is refused.
 */
export class OriginPools<P> implements Disposable {
  readonly #entries = new Map<string, Entry<P>>();
  /** By session, what was used last: most requests of a session go where the one before went. */
  readonly #lastOf = new Map<string, Entry<P>>();
  readonly #open: (key: OriginKey) => P;
  readonly #close: (pool: P) => void;
  readonly #limits: PoolLimits;
  /** Pools in use, by principal and by session. */
  readonly #inUse = new Map<string, number>();
  readonly #inUseBySession = new Map<string, number>();
  readonly #sweeping: RepeatedLook;

  constructor(open: (key: OriginKey) => P, close: (pool: P) => void, limits: PoolLimits = defaultLimits) {
    this.#limits = limits;
    this.#open = open;
    this.#close = close;
    this.#sweeping = new RepeatedLook({
      look: () => this.#sweep(Date.now()),
      intervalMs: sweepIntervalMs,
      // It closes what nobody uses; whoever closes hears of its own faults.
      onFault: () => undefined,
    });
    this.#sweeping.start();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @throws ProxyError limit_exceeded */
  use(key: OriginKey): { readonly pool: P; readonly release: () => void } {
    const used = this.#entryOf(key);
    used.inUse += 1;
    if (used.inUse === 1) this.#count(key, 1);
    let released = false;
    return {
      pool: used.pool,
      release: () => {
        if (released) return;
        released = true;
        used.inUse -= 1;
        used.lastUsedMs = Date.now();
        if (used.inUse === 0) this.#count(key, -1);
      },
    };
  }

  #entryOf(key: OriginKey): Entry<P> {
    const last = this.#lastOf.get(key.sessionId);
    const text = last !== undefined && isSameKey(last.key, key) ? last.text : originKeyText(key);
    const known = this.#entries.get(text);
    // Only one that nobody uses is closed, so the order says nothing of the others.
    if (known !== undefined && known.inUse > 0) return known;
    this.#admit(key);
    if (known === undefined) this.#makeRoom();
    else this.#entries.delete(text);
    const used = known ?? { text, key, pool: this.#open(key), lastUsedMs: Date.now(), inUse: 0 };
    // Re-inserted last: the map's order is the order of use.
    this.#entries.set(text, used);
    this.#lastOf.set(key.sessionId, used);
    return used;
  }

  #remove({ text, key, pool }: Entry<P>): void {
    this.#entries.delete(text);
    if (this.#lastOf.get(key.sessionId)?.text === text) this.#lastOf.delete(key.sessionId);
    this.#close(pool);
  }

  [Symbol.dispose](): void {
    void this.#sweeping.close();
    for (const { pool } of this.#entries.values()) this.#close(pool);
    this.#entries.clear();
    this.#lastOf.clear();
  }

  /** A session that has few is admitted whatever the others of its principal have: none of them starves it. */
  #admit({ principalId, sessionId }: Owner): void {
    const max = this.#limits.originPoolsPerPrincipalMax;
    if ((this.#inUse.get(principalId) ?? 0) < max) return;
    if ((this.#inUseBySession.get(sessionId) ?? 0) < this.#limits.originPoolsPerSessionMin) return;
    throw new ProxyError(
      'limit_exceeded',
      `${max} destinations are in use at once (originPoolsPerPrincipalMax); end some first`,
      { limit: 'originPoolsPerPrincipalMax' },
    );
  }

  #count({ principalId, sessionId }: Owner, change: 1 | -1): void {
    addTo(this.#inUse, principalId, change);
    addTo(this.#inUseBySession, sessionId, change);
  }

  #makeRoom(): void {
    const { originPoolsMax } = this.#limits;
    if (this.#entries.size < originPoolsMax) return;
    for (const entry of this.#entries.values()) {
      if (entry.inUse > 0) continue;
      this.#remove(entry);
      return;
    }
    throw new ProxyError(
      'limit_exceeded',
      `all ${originPoolsMax} destinations of the gateway are in use (originPoolsMax); try again later`,
      { limit: 'originPoolsMax', retryAfterSeconds: 1 },
    );
  }

  #sweep(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.inUse === 0 && nowMs - entry.lastUsedMs >= poolIdleMs) this.#remove(entry);
    }
  }
}

function addTo(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const count = (counts.get(key) ?? 0) + change;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
