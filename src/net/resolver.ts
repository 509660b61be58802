// Names to addresses by the gateway's own queries: absolute names only, no thread pool, bounded for each principal.

import { promises as dns } from 'node:dns';
import { canonicalAddress } from '../http/ip-address.ts';
import { ProxyError } from '../protocol/error.ts';
import { defaultLimits, type Limits } from '../protocol/limits.ts';
import { followAliases } from './alias-chain.ts';
import { HostsFile } from './hosts-file.ts';
import { ResolverCache } from './resolver-cache.ts';

export interface ResolveOptions {
  /** Whose look-up it is: bounds and cache entries are not shared between principals. */
  readonly principalId: string;
  /** In whose share of the cache it is kept; without it in that of its principal. */
  readonly sessionId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Resolves a canonical name to canonical addresses, at least one. Nothing is judged here: every dial checks what it
 * gets. Throws `name_not_found`, `timeout`, `limit_exceeded` or `cancelled`.
 */
export interface Resolver {
  resolve(host: string, options: ResolveOptions): Promise<readonly string[]>;
  /** The names that a name leads to, for the audit; none if they cannot be had. Never rejects, and may take a while. */
  aliases?(host: string, principalId: string): Promise<readonly string[]>;
  /** The addresses that the configuration gives the name, for which nobody is asked. */
  fixed?(host: string): readonly string[] | undefined;
}

export interface ResolverOptions {
  readonly limits: Limits;
  /** Name servers as `address` or `address:port` (`[::1]:53`); without them those of the system. */
  readonly servers?: readonly string[];
  /** Fixed names, before everything else. */
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
  /** A file in the format of hosts(5), read again when it changes; `false` for none. */
  readonly hostsFile?: string | false;
  /** Milliseconds that only grow. */
  readonly clock?: () => number;
}

/** A resolver that ends its queries when it is disposed of: those under way and later ones fail with `shutting_down`. */
export type OwnedResolver = Required<Resolver> & Disposable;

/** Creates the resolver; nothing is opened or read before the first look-up. */
export function createResolver(options: ResolverOptions): OwnedResolver {
  return new QueryingResolver(options);
}

interface Answer {
  /** None: the name servers say that there is none. */
  readonly addresses: readonly string[];
  /** 0: not to be kept. */
  readonly ttlMs: number;
  /** Why there is none. */
  readonly cause?: unknown;
}

class QueryingResolver implements OwnedResolver {
  readonly #options: ResolverOptions;
  readonly #limits: Limits;
  readonly #clock: () => number;
  readonly #hosts: HostsFile | undefined;
  readonly #cache: ResolverCache;
  /** Look-ups under way, by principal and name: equal ones share one query. */
  readonly #pending = new Map<string, Map<string, Promise<Answer>>>();
  /** Chains of names that are being followed, by principal. */
  readonly #following = new Map<string, number>();
  #dns: dns.Resolver | undefined;
  /** The one before, whose last queries may be under way. */
  #retired: dns.Resolver | undefined;
  #disposed = false;
  #dnsCreatedMs = 0;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#limits = options.limits;
    this.#clock = options.clock ?? (() => performance.now());
    this.#cache = new ResolverCache(options.limits.resolverCacheMax);
    const { hostsFile = '/etc/hosts' } = options;
    this.#hosts = hostsFile === false ? undefined : new HostsFile(hostsFile, this.#clock);
  }

  async resolve(host: string, options: ResolveOptions): Promise<readonly string[]> {
    const { principalId, sessionId, signal } = options;
    if (signal?.aborted === true) throw cancelled(host);
    const fixed = this.fixed(host) ?? (await this.#hosts?.lookup(host));
    if (fixed !== undefined) return fixed;
    const name = { principalId, host };
    const cached = this.#cache.get(name);
    if (cached !== undefined && cached.expiresMs > this.#clock()) return found(host, cached);
    const answer = await raceWithSignal(this.#query(host, principalId), host, signal).catch(
      (error: unknown) => {
        throw this.#disposed ? shuttingDown(host, error) : error;
      },
    );
    const { addresses, ttlMs } = answer;
    if (this.#disposed && addresses.length === 0) throw shuttingDown(host, answer.cause);
    if (ttlMs > 0) {
      const payer = sessionId === undefined ? ownShare + principalId : sessionShare + sessionId;
      this.#cache.set(name, { addresses, expiresMs: this.#clock() + ttlMs }, payer);
    }
    return found(host, answer);
  }

  async aliases(host: string, principalId: string): Promise<readonly string[]> {
    if ((this.fixed(host) ?? (await this.#hosts?.lookup(host))) !== undefined) return [];
    const known = this.#cache.get({ principalId, host });
    if (known === undefined) return await this.#follow(host, principalId);
    return await (known.aliases ??= this.#follow(host, principalId));
  }

  /** Bounded in number and time; beyond that the names are not known, which harms nothing. */
  async #follow(host: string, principalId: string): Promise<readonly string[]> {
    const count = this.#following.get(principalId) ?? 0;
    if (this.#disposed || count >= this.#limits.lookupsPendingMax) return [];
    this.#following.set(principalId, count + 1);
    const untilMs = this.#clock() + this.#limits.resolveTimeoutMs;
    const mayGoOn = (): boolean => !this.#disposed && this.#clock() < untilMs;
    const chain = await followAliases(host, (name) => this.#resolver().resolveCname(name), mayGoOn);
    const left = (this.#following.get(principalId) ?? 1) - 1;
    if (left > 0) this.#following.set(principalId, left);
    else this.#following.delete(principalId);
    return chain;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#dns?.cancel();
    this.#retired?.cancel();
  }

  fixed(host: string): readonly string[] | undefined {
    const { hosts } = this.#options;
    return hosts !== undefined && Object.hasOwn(hosts, host) ? hosts[host] : undefined;
  }

  #query(host: string, principalId: string): Promise<Answer> {
    if (this.#disposed) return Promise.reject(shuttingDown(host, undefined));
    const own = this.#pending.get(principalId) ?? new Map<string, Promise<Answer>>();
    const running = own.get(host);
    if (running !== undefined) return running;
    if (own.size >= this.#limits.lookupsPendingMax) {
      const max = this.#limits.lookupsPendingMax;
      return Promise.reject(
        new ProxyError('limit_exceeded', `More than ${max} names are being resolved (lookupsPendingMax).`, {
          limit: 'lookupsPendingMax',
        }),
      );
    }
    // The place is given back when the queries end or time out, not when a caller stops waiting: stalls keep their cost.
    const queries = queryBoth(this.#resolver(), host, this.#limits);
    const started = withDeadline(queries, host, this.#limits.resolveTimeoutMs).finally(() => {
      own.delete(host);
      if (own.size === 0) this.#pending.delete(principalId);
    });
    own.set(host, started);
    this.#pending.set(principalId, own);
    return started;
  }

  #resolver(): dns.Resolver {
    const nowMs = this.#clock();
    if (this.#dns !== undefined && nowMs - this.#dnsCreatedMs < defaultLimits.nameServersAgeMsMax)
      return this.#dns;
    const fresh = new dns.Resolver({ timeout: defaultLimits.dnsQueryTimeoutMs, tries: 2 });
    if (this.#options.servers !== undefined) fresh.setServers(this.#options.servers);
    this.#retired = this.#dns;
    this.#dns = fresh;
    this.#dnsCreatedMs = nowMs;
    return fresh;
  }
}

// Two kinds of payers, so that none is another by its name.
const ownShare = 'principal ';
const sessionShare = 'session ';

interface Records {
  readonly addresses: readonly string[];
  readonly ttlSeconds: number;
}

/** Both families at once. A family that stays silent does not hold up the other one, and then nothing is cached. */
async function queryBoth(resolver: dns.Resolver, host: string, limits: Limits): Promise<Answer> {
  const families = [resolver.resolve6(host, { ttl: true }), resolver.resolve4(host, { ttl: true })].map(
    (query) =>
      query.then(
        (records): Records => ({
          addresses: records.flatMap(({ address }) => canonicalAddress(address) ?? []),
          ttlSeconds: Math.min(...records.map(({ ttl }) => ttl)),
        }),
        (error: unknown) => error,
      ),
  );
  const settled = await settleWithGrace(families);
  const isWhole = settled.length === families.length;
  const records = settled.filter((one): one is Records => isRecords(one));
  const addresses = records.flatMap((one) => one.addresses);
  if (addresses.length > 0) {
    const ttlMs = Math.min(...records.map(({ ttlSeconds }) => ttlSeconds)) * 1000;
    return { addresses, ttlMs: isWhole ? boundedTtl(ttlMs, limits) : 0 };
  }
  const faults = settled.filter((one) => !isRecords(one));
  // What was lost on the way, or a server that is out of order, says nothing of the name.
  const isAbsent = isWhole && faults.length === families.length && faults.every((fault) => saysAbsent(fault));
  return {
    addresses: [],
    ttlMs: isAbsent ? Math.min(defaultLimits.resolverNegativeTtlMs, limits.resolverTtlMsMax) : 0,
    cause: faults[0],
  };
}

function boundedTtl(ttlMs: number, { resolverTtlMsMax }: Limits): number {
  return Math.min(Math.max(ttlMs, defaultLimits.resolverTtlMsMin), resolverTtlMsMax);
}

/** No such name, or none of its records is an address. */
function saysAbsent(fault: unknown): boolean {
  return (
    fault instanceof Error && 'code' in fault && (fault.code === 'ENOTFOUND' || fault.code === 'ENODATA')
  );
}

/** @throws ProxyError name_not_found if there is none */
function found(host: string, answer: Pick<Answer, 'addresses' | 'cause'>): readonly string[] {
  if (answer.addresses.length > 0) return answer.addresses;
  throw new ProxyError(
    'name_not_found',
    `The name ${host} does not resolve to an address. Check its spelling.`,
    { cause: answer.cause },
  );
}

function isRecords(value: unknown): value is Records {
  return typeof value === 'object' && value !== null && 'addresses' in value;
}

/** All results; or, once one has addresses, those that arrive within the grace. */
async function settleWithGrace(families: readonly Promise<unknown>[]): Promise<readonly unknown[]> {
  const settled: unknown[] = [];
  const { promise: graceOver, resolve: endGrace } = Promise.withResolvers<void>();
  let timer: NodeJS.Timeout | undefined;
  const each = families.map(async (family) => {
    const result = await family;
    settled.push(result);
    if (isRecords(result) && result.addresses.length > 0)
      timer ??= setTimeout(endGrace, defaultLimits.familyGraceMs);
  });
  try {
    await Promise.race([Promise.all(each), graceOver]);
  } finally {
    clearTimeout(timer);
  }
  return [...settled];
}

function withDeadline<T>(work: Promise<T>, host: string, timeoutMs: number): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => {
    reject(
      new ProxyError(
        'timeout',
        `The name ${host} was not resolved within ${timeoutMs} ms (resolveTimeoutMs).`,
        { limit: 'resolveTimeoutMs' },
      ),
    );
  }, timeoutMs);
  work.then(resolve, reject).finally(() => {
    clearTimeout(timer);
  });
  return promise;
}

function raceWithSignal<T>(work: Promise<T>, host: string, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = (): void => {
    reject(cancelled(host));
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  work.then(resolve, reject).finally(() => {
    signal.removeEventListener('abort', onAbort);
  });
  return promise;
}

function cancelled(host: string): ProxyError {
  return new ProxyError('cancelled', `The look-up of ${host} was cancelled.`);
}

function shuttingDown(host: string, cause: unknown): ProxyError {
  return new ProxyError('shutting_down', `The name ${host} was not resolved: the gateway is ending.`, {
    cause,
  });
}
