// The cache as the origin's stand-in for archives. Whoever comes here was judged for this very request, and what comes from here is checked
// again on its way, as what comes from the origin is.

import { asProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import { clientLeft, type Forwarder, type ForwardRequest } from '../forward/forwarder.ts';
import type { ForwardResult, ResponseReceiver } from '../forward/forwarder.ts';
import { type ArchiveKey, type CacheEntry, keyText } from './cache-entry.ts';
import type { AskedArchive } from './asked-archive.ts';
import type { PackageCacheOptions } from './package-cache-options.ts';
import { blocksOf, type OpenObject, type TemporaryObject } from './cache-folder.ts';
import { CacheRoom, sessionShare } from './cache-room.ts';
import { DiskHealth } from './disk-health.ts';
import { FetchRoom } from './fetch-room.ts';
import { sessionRoom } from './session-room.ts';
import { MemoryObjects } from './memory-objects.ts';
import { firstOf, type Reader, readOut, readOutBytes, readOutMemory } from './read-out.ts';
import { RestReceiver, type SentSoFar, unconditional } from './rest-receiver.ts';
import { SeenArchives } from './seen-archives.ts';
import { type Followed, SharedFetch, type WholeObject, writeAheadBytes } from './shared-fetch.ts';
import { storedResponse, type StoredResponse } from './stored-response.ts';
import { UntoldPromises } from './untold-promises.ts';
import { UsedNotes } from './used-notes.ts';

interface Flight {
  readonly looked: Promise<CacheEntry | undefined>;
  /** For that, so many wait. */
  waiting: number;
  fetch?: SharedFetch;
}

interface Asking {
  readonly forwarder: Pick<Forwarder, 'forward'>;
  readonly request: ForwardRequest;
  readonly archive: AskedArchive;
  readonly reader: Reader;
}

export class PackageCache implements AsyncDisposable {
  /** What registries did not say of archives that are not kept yet. */
  readonly untold: UntoldPromises;
  readonly #options: PackageCacheOptions;
  readonly #room: CacheRoom;
  readonly #look: RepeatedLook;
  /** What is looked for or fetched now, by key and promise. */
  readonly #flights = new Map<string, Flight>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #seen = new SeenArchives();
  readonly #memory: MemoryObjects;
  readonly #used: UsedNotes;
  readonly #tellUsed: RepeatedLook;
  readonly #disk: DiskHealth;

  constructor(options: PackageCacheOptions) {
    this.#options = options;
    const { folder, keepBytes, onCount, onFault, limits } = options;
    this.untold = new UntoldPromises(options.clock, limits.publishTimesAgainMs);
    const reserveBytes = limits.cacheDiskReserveBytes;
    this.#room = new CacheRoom({
      folder,
      keepBytes,
      reserveBytes,
      onLeft: (files) => onCount('left', files),
      beforeLook: () => this.#used.tell(),
      onLooked: (objects) => this.#memory.keepOnly((sha256) => objects.has(sha256)),
    });
    this.#memory = new MemoryObjects(limits.cacheMemoryBytesMax);
    this.#used = new UsedNotes(folder);
    this.#tellUsed = new RepeatedLook({
      look: async () => await this.#used.tell(),
      intervalMs: defaultLimits.cacheUsedStepMs,
      onFault,
    });
    this.#tellUsed.start();
    this.#disk = new DiskHealth({ ...options, room: this.#room });
    this.#look = new RepeatedLook({
      look: async () => {
        await folder.sweep();
        await this.#room.lookAgain();
      },
      firstMs: 0,
      intervalMs: limits.cacheLookIntervalMs,
      onFault,
    });
    this.#look.start();
  }

  get share(): PackageCacheOptions['share'] {
    return this.#options.share;
  }

  /** What it takes of the disk. */
  get bytes(): number {
    return this.#room.bytes;
  }

  /** What was promised of what is there for this key; undefined: nothing is there. Never throws. */
  async promised(key: ArchiveKey): Promise<string | undefined> {
    return (await this.#entry(keyText(key)))?.promised;
  }

  /** As the forwarder that it is given, which it asks for what it does not have. @throws ProxyError as that */
  async forward(
    forwarder: Pick<Forwarder, 'forward'>,
    request: ForwardRequest,
    receiver: ResponseReceiver,
    archive: AskedArchive,
  ): Promise<Partial<ForwardResult>> {
    const { signal, absence } = request;
    const { idleTimeoutMs } = this.#options.limits;
    const reader = { receiver, signal, idleTimeoutMs, ...(absence === undefined ? {} : { absence }) };
    const asking = { forwarder, request, archive, reader };
    using room = sessionRoom(this.#options.held, request.sessionId, readOutBytes);
    return await (room === undefined ? this.#pass(asking) : this.#forward(asking));
  }

  /** An object of the cache was not what it was kept as. */
  async damaged(key: ArchiveKey): Promise<void> {
    const entry = await this.#entry(keyText(key));
    if (entry !== undefined) await this.#forget(entry);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#look.close();
    await Promise.all(this.#running);
    await this.#tellUsed.close();
    await this.#used.tell();
    await this.#options.folder.close();
  }

  async #forward(asking: Asking): Promise<Partial<ForwardResult>> {
    const { archive, request, reader } = asking;
    // A part is fetched as one, and a head says what the origin says: for them nothing is kept.
    const isPart = archive.takesParts && archive.range !== undefined;
    if (isPart || request.head.method !== 'GET')
      return (await this.#serveKnown(await this.#kept(archive), asking)) ?? (await this.#pass(asking));
    const id = JSON.stringify([keyText(archive.key), archive.promised]);
    for (let tries = 0; tries < defaultLimits.cacheTriesMax; tries += 1) {
      const flight = this.#flightOf(id, archive, request.sessionId);
      const entry = await this.#looked(id, flight, reader);
      if (entry === 'late') break;
      const served = await this.#serveKnown(entry, asking);
      if (served !== undefined) return served;
      if (entry !== undefined) continue;
      const fetch = flight.fetch ?? this.#begin(id, flight, asking);
      if (fetch?.isOpen === false) {
        this.#landed(id, flight);
        continue;
      }
      if (fetch === undefined || fetch.readers >= defaultLimits.cacheFollowersMax) break;
      const followed = await this.#follow(fetch, flight, asking);
      if (followed.kind === 'whole') return followed.result;
      if (followed.had !== undefined) return await this.#pass(asking, followed.had);
      if (!followed.isFault) break;
    }
    return await this.#pass(asking);
  }

  /** One looks for all that ask at once. */
  #flightOf(id: string, archive: AskedArchive, sessionId: string): Flight {
    const known = this.#flights.get(id);
    if (known !== undefined) return known;
    const looked = this.#found(archive, sessionId).then((found) => {
      // What is there, everybody opens for itself.
      if (found !== undefined) this.#flights.delete(id);
      return found;
    });
    const flight: Flight = { looked, waiting: 0 };
    this.#flights.set(id, flight);
    return flight;
  }

  /** As long as one may wait for others: a bucket may be slow. */
  async #looked(id: string, flight: Flight, { signal }: Reader): Promise<CacheEntry | 'late' | undefined> {
    const { bucket, limits } = this.#options;
    if (bucket === undefined) return await flight.looked;
    flight.waiting += 1;
    const how = await firstOf(flight.looked, { signal, waitMs: limits.cacheFollowQuietMs });
    flight.waiting -= 1;
    if (how === 'there') return await flight.looked;
    // What nobody waits for any more, the next one looks for.
    void flight.looked.then(() => {
      if (flight.waiting === 0 && flight.fetch === undefined) this.#landed(id, flight);
    });
    if (how === 'left') throw clientLeft();
    return how;
  }

  /** On the disk, or brought there from the bucket. */
  async #found(archive: AskedArchive, sessionId: string): Promise<CacheEntry | undefined> {
    const kept = await this.#kept(archive);
    const { bucket, folder, keepBytes } = this.#options;
    if (kept !== undefined || bucket === undefined || this.#disk.isUnwritable) return kept;
    const isThere = await bucket.bring(archive, {
      folder,
      room: new FetchRoom(this.#room, sessionId, keepBytes),
      bytesMax: this.#bytesMax,
      keep: async (object, whole) => void (await this.#keep(archive, object, whole)),
      onDiskFault: this.#disk.failed,
    });
    return isThere ? await this.#kept(archive) : undefined;
  }

  /** What can never have room is not begun. */
  get #bytesMax(): number {
    const { limits, keepBytes } = this.#options;
    return Math.min(limits.cachedArchiveBytesMax, keepBytes / sessionShare);
  }

  /** What is there of it, as it is promised now. What is remembered and has left is found out where its object is opened. */
  async #kept({ key, promised }: AskedArchive): Promise<CacheEntry | undefined> {
    const text = keyText(key);
    const remembered = this.#seen.entry(text);
    if (remembered?.promised === promised) return remembered;
    const entry = await this.#entry(text);
    return entry?.promised === promised ? entry : undefined;
  }

  /** Undefined: it is not there, or not any more. */
  async #serveKnown(
    entry: CacheEntry | undefined,
    asking: Asking,
  ): Promise<Partial<ForwardResult> | undefined> {
    if (entry === undefined) return undefined;
    const remembered = await this.#serveMemory(entry, () => this.#memory.get(entry), asking);
    if (remembered !== undefined) return remembered;
    const object = await this.#object(entry);
    if (object === undefined) return undefined;
    this.#seen.saw(entry);
    return await this.#serve(entry, object, asking);
  }

  #landed(id: string, flight: Flight): void {
    if (this.#flights.get(id) === flight) this.#flights.delete(id);
  }

  async #follow(fetch: SharedFetch, flight: Flight, { reader, archive }: Asking): Promise<Followed> {
    const source = flight.fetch === undefined ? 'fetched' : 'joined';
    flight.fetch = fetch;
    archive.onSource(source);
    this.#options.onCount(source, 1);
    return await fetch.follow(reader);
  }

  /** Undefined: what is asked for is not kept. */
  #begin(
    id: string,
    flight: Flight,
    { forwarder, request, archive, reader }: Asking,
  ): SharedFetch | undefined {
    const { clock, keepBytes, limits } = this.#options;
    const isFull = this.#running.size >= defaultLimits.cacheFetchesMax || this.#disk.isUnwritable;
    const room = isFull ? undefined : sessionRoom(this.#options.held, request.sessionId, writeAheadBytes);
    if (room === undefined) {
      this.#landed(id, flight);
      return undefined;
    }
    const fetch = new SharedFetch(reader, archive.promised, {
      limits: { ...limits, cachedArchiveBytesMax: this.#bytesMax },
      clock,
      temporary: () => this.#options.folder.temporary(),
      room: new FetchRoom(this.#room, request.sessionId, keepBytes),
      keep: async (object, whole) => {
        const entry = await this.#keep(archive, object, whole);
        this.#options.bucket?.store(entry, () => this.#object(entry));
        // From here on it is found on the disk.
        this.#landed(id, flight);
        this.#options.onCount('stored', 1);
      },
      onDiskFault: this.#disk.failed,
    });
    const running = fetch.run(forwarder, unconditional(request)).finally(() => {
      room.release();
      this.#running.delete(running);
      this.#landed(id, flight);
    });
    this.#running.add(running);
    return fetch;
  }

  async #keep(
    { key, promised }: AskedArchive,
    object: TemporaryObject,
    whole: WholeObject,
  ): Promise<CacheEntry> {
    const { folder } = this.#options;
    const { registry, name, version } = key;
    const about = version === undefined ? { registry, name } : { registry, name, version };
    const { bytes, sha256, storedMs } = whole;
    const fields = whole.fields.map(([field, value]): [string, string] => [field, value]);
    const entry: CacheEntry = { key: keyText(key), ...about, promised, sha256, bytes, fields, storedMs };
    await folder.keep(object, entry);
    this.#seen.saw(entry);
    this.#room.kept(blocksOf(bytes) + blocksOf(1), 2);
    this.#seen.sawWhole(sha256);
    await this.#memory.read(entry, object);
    this.#disk.worked();
    return entry;
  }

  async #serve(entry: CacheEntry, object: OpenObject, asking: Asking): Promise<Partial<ForwardResult>> {
    const { reader, archive } = asking;
    const { handle } = object;
    const closed = this.#room.opened(entry.sha256, entry.bytes);
    try {
      const served = await this.#serveMemory(entry, () => this.#memory.read(entry, object), asking);
      if (served !== undefined) return served;
      // A part cannot be checked on its way.
      const isWhole =
        archive.range === undefined || (await this.#seen.lookWhole(entry, handle, reader.signal));
      if (isWhole !== true) {
        if (isWhole === false) await this.#forget(entry);
        return await this.#pass(asking);
      }
      return await this.#send(entry, asking, (part) => readOut(handle, part, reader));
    } finally {
      void handle
        .close()
        .catch(() => undefined)
        .then(closed);
    }
  }

  /**
   * What is read out of memory may leave it meanwhile, and its reader holds it then: each has room for all of it. Undefined: it is not there.
   */
  async #serveMemory(
    entry: CacheEntry,
    find: () => Buffer | undefined | Promise<Buffer | undefined>,
    asking: Asking,
  ): Promise<Partial<ForwardResult> | undefined> {
    if (!this.#memory.takes(entry)) return undefined;
    const more = Math.max(0, entry.bytes - readOutBytes);
    using room = sessionRoom(this.#options.held, asking.request.sessionId, more);
    const octets = room === undefined ? undefined : await find();
    if (octets === undefined) return undefined;
    this.#seen.saw(entry);
    return await this.#send(entry, asking, (part) => readOutMemory(octets, part, asking.reader));
  }

  async #send(
    entry: CacheEntry,
    { reader, archive, request }: Asking,
    readOutPart: (part: Pick<StoredResponse, 'from' | 'to'>) => Promise<void>,
  ): Promise<Partial<ForwardResult>> {
    const { clock, onCount } = this.#options;
    const { status, rawHeaders, from, to } = storedResponse(entry, archive.range, clock());
    archive.onSource('hit');
    onCount('hit', 1);
    const isHead = request.head.method === 'HEAD';
    reader.receiver.onHead(status, rawHeaders, isHead);
    if (!isHead) await readOutPart({ from, to });
    reader.receiver.onComplete?.();
    this.#used.add(entry, clock());
    return {};
  }

  /** @param had what of it the client has already */
  async #pass({ forwarder, request, reader, archive }: Asking, had?: SentSoFar): Promise<ForwardResult> {
    archive.onSource('passed');
    this.#options.onCount('passed', 1);
    if (had === undefined) return await forwarder.forward(request, reader.receiver);
    const rest = new RestReceiver(reader.receiver, had);
    const result = await forwarder.forward(unconditional(request), rest);
    rest.end();
    return result;
  }

  async #forget(entry: CacheEntry): Promise<void> {
    this.#seen.forget(entry);
    this.#memory.forget(entry.sha256);
    await this.#options.folder.forget(entry).catch(this.#disk.failed);
    this.#options.onCount('damaged', 1);
  }

  /** What the disk does not give is not there. */
  async #entry(key: string): Promise<CacheEntry | undefined> {
    try {
      return await this.#options.folder.entry(key);
    } catch (error) {
      this.#options.onFault(asProxyError(error));
      return undefined;
    }
  }

  async #object(entry: CacheEntry): Promise<OpenObject | undefined> {
    try {
      const object = await this.#options.folder.object(entry);
      // It has left, or is cut off: what leads to it goes too. What is only remembered is looked for on the disk again.
      if (object === undefined && !this.#seen.forget(entry)) await this.#options.folder.forget(entry);
      return object;
    } catch (error) {
      this.#options.onFault(asProxyError(error));
      return undefined;
    }
  }
}
