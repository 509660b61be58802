// The second level of the cache, which gateways of several machines share: a bucket. It is asked for what the folder does not have, and gets what
// was whole and as promised here. It is believed no more than an origin, and whatever it does costs an install some seconds at most.

import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import type { AskedArchive, CacheCount } from './asked-archive.ts';
import { type CacheEntry, keyText } from './cache-entry.ts';
import { type CacheFolder, type OpenObject, type TemporaryObject, writeFully } from './cache-folder.ts';
import type { FetchRoom } from './fetch-room.ts';
import type { WholeObject } from './shared-fetch.ts';
import type { BucketClient } from './bucket-client.ts';
import {
  type BucketEntry,
  bucketEntryName,
  bucketObjectName,
  encodeBucketEntry,
  readBucketEntry,
} from './bucket-entry.ts';
import { BucketHealth } from './bucket-health.ts';
import { makeRoom } from './bucket-room.ts';

export interface CacheBucketOptions {
  readonly client: Pick<BucketClient, 'read' | 'bytes' | 'write' | 'remove' | 'page'>;
  readonly keepBytes: number;
  readonly limits: Limits;
  readonly clock: () => number;
  /** One process of a gateway makes room. */
  readonly isOnDuty: () => boolean;
  readonly onCount: (what: CacheCount, count: number) => void;
  /** Told once, until it responds again. */
  readonly onAway: (reason: string) => void;
  /** It had what was not what it said; told once, until it has something that is. */
  readonly onDamaged: (name: string) => void;
  readonly onFault: (error: ProxyError) => void;
}

/** Where in the folder an archive of the bucket goes. */
export interface BringPlace {
  readonly folder: Pick<CacheFolder, 'temporary'>;
  readonly room: FetchRoom;
  /** The longest that has room. */
  readonly bytesMax: number;
  /** It is whole, and what is promised. */
  keep(object: TemporaryObject, whole: WholeObject): Promise<void>;
  /** The disk does not take it. */
  onDiskFault(error: unknown): void;
}

interface Writing {
  readonly entry: CacheEntry;
  readonly open: () => Promise<OpenObject | undefined>;
}

type Came = 'whole' | 'other' | 'gone' | 'no-room';

export class CacheBucket implements AsyncDisposable {
  readonly #options: CacheBucketOptions;
  readonly #health: BucketHealth;
  readonly #closing = new AbortController();
  readonly #look: RepeatedLook;
  readonly #queue: Writing[] = [];
  readonly #writers = new Set<Promise<void>>();
  readonly #readers = new Set<Promise<boolean>>();
  #isDamageTold = false;

  constructor(options: CacheBucketOptions) {
    this.#options = options;
    this.#health = new BucketHealth(options);
    const { client, keepBytes, limits, isOnDuty, onCount, onFault } = options;
    this.#look = new RepeatedLook({
      look: async (signal) => {
        if (!isOnDuty() || !this.#health.mayAsk()) return;
        const ends = AbortSignal.any([signal, AbortSignal.timeout(defaultLimits.cacheBucketLookMs)]);
        await this.#asking(async () => {
          onCount('bucket_left', await makeRoom(client, keepBytes, ends));
          this.#health.worked();
        });
      },
      intervalMs: limits.cacheBucketLookIntervalMs,
      onFault,
    });
    this.#look.start();
  }

  /** The archive as it is promised, put into the folder. False: it has to come from elsewhere. Never rejects. */
  async bring(asked: AskedArchive, place: BringPlace): Promise<boolean> {
    const isBusy = this.#readers.size >= defaultLimits.cacheBucketReadsMax;
    if (isBusy || this.#closing.signal.aborted || !this.#health.mayAsk()) return false;
    const reader = this.#bring(asked, place).finally(() => this.#readers.delete(reader));
    this.#readers.add(reader);
    return await reader;
  }

  /** It is whole and as promised here. It is written when there is time, or not at all. */
  store(entry: CacheEntry, open: Writing['open']): void {
    if (entry.bytes > this.#options.limits.cacheBucketArchiveBytesMax) return;
    if (this.#queue.length >= defaultLimits.cacheBucketQueueMax || this.#closing.signal.aborted) {
      this.#options.onCount('bucket_dropped', 1);
      return;
    }
    this.#queue.push({ entry, open });
    if (this.#writers.size >= defaultLimits.cacheBucketWritersMax) return;
    const writer = this.#writeAll().finally(() => this.#writers.delete(writer));
    this.#writers.add(writer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#look.close();
    await Promise.all([...this.#writers, ...this.#readers]);
  }

  async #bring({ key, promised }: AskedArchive, place: BringPlace): Promise<boolean> {
    const { onCount, limits } = this.#options;
    const text = keyText(key);
    const entry = await this.#asking(() => this.#entry(text, promised));
    const bytesMax = Math.min(place.bytesMax, limits.cacheBucketArchiveBytesMax);
    if (entry === undefined || entry.bytes > bytesMax) {
      onCount('bucket_missed', 1);
      return false;
    }
    const came = await this.#bringObject(entry, promised, place);
    if (came === 'other') await this.#damaged(bucketEntryName(text, promised), entry, key.name);
    if (came === 'whole') this.#isDamageTold = false;
    onCount(came === 'whole' ? 'bucket_hit' : 'bucket_missed', 1);
    return came === 'whole';
  }

  /** Undefined: it did not respond, or has none. */
  async #entry(key: string, promised: string): Promise<BucketEntry | undefined> {
    const { client, limits, clock } = this.#options;
    const chunks: Uint8Array[] = [];
    const came = await client.read(
      bucketEntryName(key, promised),
      { bytesMax: defaultLimits.cacheEntryBytesMax, signal: this.#until(limits.cacheBucketAskMs) },
      (chunk) => void chunks.push(chunk),
    );
    const text = Buffer.concat(chunks).toString();
    const entry = came === 'whole' ? readBucketEntry(text, { key, promised, nowMs: clock() }) : undefined;
    // What it says leads to an archive: only then it is known whether it works.
    if (entry === undefined) this.#health.worked();
    return entry;
  }

  async #bringObject(entry: BucketEntry, promised: string, place: BringPlace): Promise<Came | undefined> {
    const { folder, room } = place;
    let object: TemporaryObject | undefined;
    try {
      const taken = (object = await folder.temporary());
      const came = await this.#asking(() => this.#readObject(entry, promised, { place, object: taken }));
      if (came === 'whole') await place.keep(taken, entry);
      return came;
    } catch (error) {
      place.onDiskFault(error);
      return undefined;
    } finally {
      if (object !== undefined) {
        // What has a name by now is kept under that.
        await rm(object.path, { force: true }).catch(() => undefined);
        await object.handle.close().catch(() => undefined);
      }
      room.close();
    }
  }

  async #readObject(
    { sha256, bytes }: BucketEntry,
    promised: string,
    { place, object }: { readonly place: BringPlace; readonly object: TemporaryObject },
  ): Promise<Came> {
    const { client, limits } = this.#options;
    const dash = promised.indexOf('-');
    const hashes = [createHash('sha256'), createHash(promised.slice(0, dash))] as const;
    let at = 0;
    const take = async (chunk: Uint8Array): Promise<void> => {
      for (const hash of hashes) hash.update(chunk);
      if (!(await place.room.reach(at + chunk.byteLength, bytes))) throw new NoRoom('the cache has no room');
      await writeFully(object.handle, chunk, at);
      at += chunk.byteLength;
      place.room.wrote(at);
    };
    const reading = { bytesMax: bytes, signal: this.#until(limits.cacheBucketReadMs) };
    try {
      const came = await client.read(bucketObjectName(sha256), reading, (chunk) => take(chunk).catch(noRoom));
      if (came === 'absent') {
        this.#health.worked();
        return 'gone';
      }
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error;
      if (error.cause !== undefined) place.onDiskFault(error.cause);
      return 'no-room';
    }
    this.#health.worked();
    const [own, other] = hashes;
    const isPromised = other.digest('base64') === promised.slice(dash + 1);
    return at === bytes && own.digest('hex') === sha256 && isPromised ? 'whole' : 'other';
  }

  /** The next one of it is fetched from its origin, and written anew. */
  async #damaged(entryName: string, { sha256 }: BucketEntry, name: string): Promise<void> {
    const { client, limits, onCount, onDamaged } = this.#options;
    onCount('bucket_damaged', 1);
    if (!this.#isDamageTold) onDamaged(name);
    this.#isDamageTold = true;
    const signal = this.#until(limits.cacheBucketAskMs);
    await this.#asking(async () => {
      await client.remove(entryName, signal);
      await client.remove(bucketObjectName(sha256), signal);
    });
  }

  async #writeAll(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const writing = next;
      const isWritten =
        !this.#closing.signal.aborted && this.#health.mayAsk()
          ? await this.#asking(() => this.#write(writing))
          : undefined;
      this.#options.onCount(isWritten === true ? 'bucket_stored' : 'bucket_dropped', 1);
    }
  }

  /** False: the folder has it no more. */
  async #write({ entry, open }: Writing): Promise<boolean> {
    const { client } = this.#options;
    const { key, promised, sha256, bytes } = entry;
    const signal = this.#until(defaultLimits.cacheBucketWriteMs);
    const name = bucketObjectName(sha256);
    if ((await client.bytes(name, signal)) !== bytes) {
      const object = await open();
      if (object === undefined) return false;
      await using handle = object.handle;
      const octets =
        bytes === 0
          ? Buffer.alloc(0)
          : handle.createReadStream({ start: 0, end: bytes - 1, autoClose: false });
      await client.write(name, { octets, bytes, sha256 }, signal);
    }
    const octets = Buffer.from(encodeBucketEntry(entry));
    const told = { octets, bytes: octets.length, sha256: createHash('sha256').update(octets).digest('hex') };
    await client.write(bucketEntryName(key, promised), told, signal);
    this.#health.worked();
    return true;
  }

  /** Undefined: it failed, and is left alone for a while. */
  async #asking<T>(ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#health.failed(error);
      return undefined;
    }
  }

  #until(ms: number): AbortSignal {
    return AbortSignal.any([this.#closing.signal, AbortSignal.timeout(ms)]);
  }
}

/** The folder takes no more of it, for which the bucket can do nothing. */
class NoRoom extends Error {}

function noRoom(error: unknown): never {
  throw error instanceof NoRoom ? error : new NoRoom('the disk takes nothing', { cause: error });
}
