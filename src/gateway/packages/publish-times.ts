// When versions of packages came out, as their registries say. What is known of a version does not change, so it is asked for once.

import type { RegistryRoot } from '../../policy/known-package.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { PackageRegistry } from '../../understand/packages/package-request.ts';
import { metadataPath } from './metadata-address.ts';

export interface AskedPackage {
  readonly registry: PackageRegistry;
  readonly root: RegistryRoot;
  readonly name: string;
  /** As it was asked for. */
  readonly written: string;
  /** Which part of it, where the registry tells of each by itself. */
  readonly part?: string;
  /** The credentials that it is asked with: a registry may tell others of other packages by the same name. */
  readonly credentials: readonly string[];
}

/** In milliseconds, by version, or by file where each has its own. */
export type VersionTimes = ReadonlyMap<string, number>;

/** What a registry tells of the versions of a package. */
export interface ToldVersions {
  readonly times: VersionTimes;
  /** What is promised of what it delivers. */
  readonly digests: ReadonlyMap<string, string>;
  /** When it said so, where that was before. */
  readonly toldMs?: number | undefined;
  /** Versions of which clients run something when they install them. */
  readonly installScripts?: ReadonlySet<string>;
}

/** By what a promise and a time are found. */
export interface PromiseKeys {
  readonly promisedAs: string;
  readonly version: string;
}

/** A promise, and when what it is of came out, as both are known at once. */
export interface ToldPromise {
  readonly digest: string;
  readonly publishedMs: number | undefined;
  readonly hasInstallScript: boolean;
}

/** Undefined: the registry said nothing that can be read, which nobody remembers. */
type Ask = () => Promise<ToldVersions | undefined>;

interface Entry extends ToldVersions {
  readonly askedMs: number;
  /** Something else came than what is promised: the promises may be old ones. */
  readonly isDoubted?: true;
  /** When the registry was asked last because of that, however it went. */
  readonly doubtAskedMs?: number;
  /** Why the registry cannot be asked: its document is too long to be fetched for each archive. */
  readonly fault?: ProxyError;
}

/** Names of versions and files that exist are shorter. */
const nameLengthMax = 256;

type TimesLimits = Pick<Limits, 'publishTimesMax' | 'publishTimesAgainMs'>;

/** Of all sessions: it says nothing that the registry does not say to everybody who may read the package. */
export class PublishTimes {
  readonly #limits: TimesLimits;
  readonly #clock: () => number;
  /** In the order of their last use. */
  readonly #known = new Map<string, Entry>();
  readonly #asking = new Map<string, Promise<ToldVersions | undefined>>();
  /** When an alarm was raised last about a package. */
  readonly #alarms = new Map<string, number>();
  #count = 0;

  constructor(limits: TimesLimits, clock: () => number) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Versions, and packages beside them. */
  get size(): number {
    return this.#count;
  }

  /** What passed anyway; gives all that is known. */
  note(asked: AskedPackage, told: ToldVersions): VersionTimes {
    return this.#note(asked, told).times;
  }

  #note(
    asked: AskedPackage,
    { times, digests, installScripts, toldMs }: ToldVersions,
    fault?: ProxyError,
  ): Entry {
    const key = keyOf(asked);
    const nowMs = this.#clock();
    // Of two times the later one counts: a version that is published again is new, and a registry that says an earlier time, or leaves it
    // out for once, would make a version older than it is.
    const entry = this.#known.get(key);
    // What is promised since then, or was doubted, stays.
    const isOlder = entry !== undefined && toldMs !== undefined && toldMs < entry.askedMs;
    const all = new Map(entry?.times);
    for (const [version, ms] of times)
      if (version.length <= nameLengthMax) all.set(version, Math.max(ms, all.get(version) ?? ms));
    this.#forget(key);
    // What is promised last counts, as for clients. Who leaves a promise out for once does not take it back.
    const promised = new Map(entry?.digests);
    let isTimeLost = false;
    for (const [one, digest] of digests) {
      const before = promised.get(one);
      if (one.length > nameLengthMax || before === digest || (isOlder && before !== undefined)) continue;
      // A time that was told of something else says nothing of this. It is asked for at once.
      if (before !== undefined && !times.has(one)) isTimeLost = all.delete(one) || isTimeLost;
      promised.set(copyOf(one), copyOf(digest));
    }
    const { doubtAskedMs } = entry ?? {};
    const askedMs = isOlder ? entry.askedMs : Math.min(nowMs, toldMs ?? nowMs);
    const told: Entry = {
      times: all,
      digests: promised,
      installScripts: withNames(entry?.installScripts, installScripts),
      askedMs: isTimeLost ? -Infinity : askedMs,
      ...(isOlder && entry.isDoubted === true ? { isDoubted: true } : {}),
      ...(doubtAskedMs === undefined ? {} : { doubtAskedMs }),
      ...(fault === undefined ? {} : { fault }),
    };
    this.#known.set(key, told);
    this.#count += sizeOf(told);
    for (const [oldest] of this.#known) {
      if (this.#count <= this.#limits.publishTimesMax) break;
      this.#forget(oldest);
    }
    return told;
  }

  /**
   * The time of a version, or a file; undefined: the registry does not say. What is not known is asked for, by one for all that wait. What
   * keeps that one from being told, keeps no other: each asks for itself then. Where something else came than what is promised, it may have been
   * published again: the registry is asked anew before, once within a time.
   * @throws ProxyError as `ask`
   */
  async timeOf(asked: AskedPackage, version: string, ask: Ask): Promise<number | undefined> {
    await this.#askDoubted(asked, keyOf(asked), ask)?.catch(() => undefined);
    return await this.#told(asked, ask, ({ times }) => times.get(version));
  }

  async #told<T>(
    asked: AskedPackage,
    ask: Ask,
    find: (told: ToldVersions) => T | undefined,
  ): Promise<T | undefined> {
    const key = keyOf(asked);
    let kept: T | undefined;
    for (let tries = 0; ; tries++) {
      const entry = this.#known.get(key);
      const known = entry && find(entry);
      const holds = known !== undefined && !isOfStore(asked);
      kept = known ?? kept;
      if (entry !== undefined && (holds || !this.#isOld(entry))) {
        this.#known.delete(key);
        this.#known.set(key, entry);
        if (known === undefined && entry.fault !== undefined) throw entry.fault;
        return known;
      }
      const other = tries < defaultLimits.packageAsksBeforeMax ? this.#asking.get(key) : undefined;
      if (other === undefined) break;
      const told = await other.catch(() => undefined);
      if (told !== undefined) return find(told);
    }
    try {
      const told = await this.#ask(asked, key, ask);
      return (told && find(told)) ?? kept;
    } catch (error) {
      if (kept === undefined) throw error;
      return kept;
    }
  }

  /**
   * What is promised of it, as far as that is known. Where something else came, the registry is asked anew before, once within a time.
   * @param asksFirst whether what is not known is asked for as times are
   */
  async promiseOf(
    asked: AskedPackage,
    { promisedAs, version }: PromiseKeys,
    ask: Ask,
    asksFirst = false,
  ): Promise<ToldPromise | undefined> {
    const key = keyOf(asked);
    const find = ({ digests, times, installScripts }: ToldVersions): ToldPromise | undefined => {
      const digest = digests.get(promisedAs);
      const hasInstallScript = installScripts?.has(version) === true;
      return digest === undefined ? undefined : { digest, publishedMs: times.get(version), hasInstallScript };
    };
    // Where it does not say, what it promised before still holds.
    await this.#askDoubted(asked, key, ask)?.catch(() => undefined);
    const entry = this.#known.get(key);
    const known = entry && find(entry);
    // An archive that has no time to wait for comes without a promise too.
    const isAsked = asksFirst && (known === undefined || isOfStore(asked));
    return isAsked ? ((await this.#told(asked, ask, find).catch(() => undefined)) ?? known) : known;
  }

  #askDoubted(asked: AskedPackage, key: string, ask: Ask): Promise<unknown> | undefined {
    const entry = this.#known.get(key);
    if (entry?.isDoubted !== true) return undefined;
    const other = this.#asking.get(key);
    if (other !== undefined) return other;
    if (entry.doubtAskedMs !== undefined && !this.#isPast(entry.doubtAskedMs)) return undefined;
    this.#known.set(key, { ...entry, doubtAskedMs: this.#clock() });
    return this.#ask(asked, key, ask);
  }

  /** What came is not what is promised. Gives whether an alarm may be raised of the package. */
  altered(asked: AskedPackage): boolean {
    const key = keyOf(asked);
    const entry = this.#known.get(key);
    if (entry !== undefined) this.#known.set(key, { ...entry, isDoubted: true });
    const [nowMs, lastMs] = [this.#clock(), this.#alarms.get(key)];
    if (lastMs !== undefined && nowMs >= lastMs && nowMs - lastMs < defaultLimits.packageAlarmMs)
      return false;
    this.#alarms.delete(key);
    this.#alarms.set(key, nowMs);
    for (const [oldest] of this.#alarms) {
      if (this.#alarms.size <= defaultLimits.packageAlarmsMax) break;
      this.#alarms.delete(oldest);
    }
    return true;
  }

  /** What came out since then is not much older than that. */
  #isOld({ askedMs }: Entry): boolean {
    return this.#isPast(askedMs);
  }

  #isPast(askedMs: number): boolean {
    const age = this.#clock() - askedMs;
    return age < 0 || age >= this.#limits.publishTimesAgainMs;
  }

  async #ask(asked: AskedPackage, key: string, ask: Ask): Promise<ToldVersions | undefined> {
    const asking = ask().then(
      (told) => (told === undefined ? undefined : this.#note(asked, told)),
      (error: unknown) => {
        if (error instanceof ProxyError && error.limit === 'packageMetadataBytesMax')
          this.#note(asked, { times: new Map(), digests: new Map() }, error);
        throw error;
      },
    );
    this.#asking.set(key, asking);
    try {
      return await asking;
    } finally {
      if (this.#asking.get(key) === asking) this.#asking.delete(key);
    }
  }

  #forget(key: string): void {
    const entry = this.#known.get(key);
    if (entry === undefined) return;
    this.#known.delete(key);
    this.#count -= sizeOf(entry);
  }
}

/** The store says it before the registry is asked. It is asked anew after a while: an operator may have let it forget that. */
const isOfStore = ({ registry }: AskedPackage): boolean => registry === 'go' || registry === 'maven';

const sizeOf = ({ times, digests, installScripts }: ToldVersions): number =>
  times.size + digests.size + (installScripts?.size ?? 0) + 1;

/** What a version runs does not change either. */
function withNames(
  known: ReadonlySet<string> = new Set(),
  told: ReadonlySet<string> = new Set(),
): ReadonlySet<string> {
  const added = [...told].filter((one) => one.length <= nameLengthMax && !known.has(one));
  return added.length === 0 ? known : new Set([...known, ...added.map(copyOf)]);
}

/** A text of its own: a part of one that was read may keep all of that in memory. */
const copyOf = (text: string): string => String(JSON.parse(JSON.stringify(text)));

/** By the address that is asked: two spellings of a name may be one package, or none of them. */
function keyOf(asked: AskedPackage): string {
  const { registry, root, credentials, part = '' } = asked;
  const { scheme, host, port } = root;
  return JSON.stringify([registry, scheme, host, port, metadataPath(asked), part, ...credentials]);
}
