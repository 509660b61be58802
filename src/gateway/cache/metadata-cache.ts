// What registries tell of packages, as they told it: kept as RFC 9111 has it, and asked again with validators of its own. Filters of rules stand
// behind it, for each principal. One asks for all that wait, and where the registry is away, what is there may serve for a while.

import { HeaderList } from '../../http/header-list.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { HeldOctets } from '../../protocol/held-octets.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import { clientLeft, type Forwarder, type ForwardRequest } from '../forward/forwarder.ts';
import type { ForwardResult, ResponseReceiver } from '../forward/forwarder.ts';
import { type CacheEntry, keyText } from './cache-entry.ts';
import { blocksOf, type CacheFolder, type OpenObject } from './cache-folder.ts';
import { CacheRoom } from './cache-room.ts';
import { ComingFile } from './coming-file.ts';
import { DiskHealth } from './disk-health.ts';
import { FetchRoom } from './fetch-room.ts';
import type { AskedMetadata, MetadataCount, MetadataSource } from './asked-metadata.ts';
import { sessionRoom } from './session-room.ts';
import { MetadataFetch } from './metadata-fetch.ts';
import { type AskedForm, Freshness } from './metadata-freshness.ts';
import { firstOf, type Reader, readOutBytes } from './read-out.ts';
import { readOutWhole } from './read-out-whole.ts';
import { fieldsOf, metadataHead } from './metadata-response.ts';
import { AwayRegistries, Patience, withValidators } from './registry-away.ts';

export interface MetadataCacheOptions {
  readonly folder: CacheFolder;
  readonly keepBytes: number;
  readonly share: 'all' | 'principal';
  readonly limits: Limits;
  readonly held: HeldOctets;
  readonly clock: () => number;
  readonly onCount: (what: MetadataCount, count: number) => void;
  /** Told once, until it takes something again. */
  readonly onUnwritable: (reason: string) => void;
  readonly onFault: (error: ProxyError) => void;
}

interface Asking {
  readonly forwarder: Pick<Forwarder, 'forward'>;
  readonly request: ForwardRequest;
  readonly metadata: AskedMetadata;
  readonly reader: Reader;
  readonly id: string;
  readonly form: AskedForm;
  /** Where it is asked for, by one session: its full pool, or what only it is told, says nothing to others. */
  readonly place: string;
  readonly sinceMs: number;
}

interface Kept extends AsyncDisposable {
  readonly entry: CacheEntry;
  readonly object: OpenObject;
  readonly freshness: Freshness;
}

type Served = Partial<ForwardResult>;

interface Flight {
  readonly landed: Promise<unknown>;
  readonly land: () => void;
  /** Where something is kept now, those that waited look again. Where the registry is away, each finds out. Else each asks for itself. */
  found: 'nothing' | 'kept' | 'away';
}

export class MetadataCache implements AsyncDisposable {
  readonly #options: MetadataCacheOptions;
  readonly #room: CacheRoom;
  readonly #look: RepeatedLook;
  readonly #flights = new Map<string, Flight>();
  readonly #away: AwayRegistries;
  readonly #disk: DiskHealth;

  constructor(options: MetadataCacheOptions) {
    this.#options = options;
    const { folder, keepBytes, onCount, onFault, limits } = options;
    this.#room = new CacheRoom({
      folder,
      keepBytes,
      reserveBytes: limits.cacheDiskReserveBytes,
      onLeft: (files) => onCount('left', files),
    });
    this.#away = new AwayRegistries(options.clock);
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

  get share(): MetadataCacheOptions['share'] {
    return this.#options.share;
  }

  /** What it takes of the disk. */
  get bytes(): number {
    return this.#room.bytes;
  }

  /** As the forwarder that it is given. The request is for the whole, and has no credential. @throws ProxyError as that */
  async forward(
    forwarder: Pick<Forwarder, 'forward'>,
    request: ForwardRequest,
    receiver: ResponseReceiver,
    metadata: AskedMetadata,
  ): Promise<Served> {
    const { signal, absence, head } = request;
    const { limits, clock } = this.#options;
    const { key, cacheControl } = metadata;
    const reader = {
      receiver,
      signal,
      idleTimeoutMs: limits.idleTimeoutMs,
      ...(absence === undefined ? {} : { absence }),
    };
    const form = { url: key.url, accept: key.accept ?? '', cacheControl };
    const { scheme, host, port } = head.destination;
    const place = JSON.stringify([request.sessionId, scheme, host, port, key.reach, key.principal ?? null]);
    const room = sessionRoom(this.#options.held, request.sessionId, readOutBytes);
    const asking = { forwarder, request, metadata, reader, id: keyText(key), form, place, sinceMs: clock() };
    if (room === undefined) return await this.#pass(asking);
    try {
      return await this.#forward(asking);
    } finally {
      room.release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#look.close();
    await Promise.all([...this.#flights.values()].map(({ landed }) => landed));
    await this.#options.folder.close();
  }

  async #forward(asking: Asking): Promise<Served> {
    const { id, request } = asking;
    for (let tries = 0; tries < defaultLimits.cacheTriesMax; tries += 1) {
      const served = await this.#serveKept(asking, tries > 0);
      if (served !== undefined) return served;
      const flight = this.#flights.get(id);
      if (flight === undefined) return await this.#lead(asking);
      const { signal } = request;
      const waitMs = this.#options.limits.cacheFollowQuietMs;
      const how = await firstOf(flight.landed, { signal, waitMs });
      if (how === 'left') throw clientLeft();
      if (how === 'late' || flight.found === 'away') break;
      if (flight.found === 'nothing') return await this.#pass(asking);
    }
    // Who leads may read as slowly as it likes: whoever waited long enough asks in its place, and for those that come from now on.
    return (await this.#serveKept(asking, true)) ?? (await this.#lead(asking));
  }

  /** Undefined: the registry has to be asked. */
  async #serveKept(asking: Asking, hasWaited: boolean): Promise<Served | undefined> {
    const { form, metadata, sinceMs, id, place } = asking;
    await using kept = await this.#kept(id);
    if (kept === undefined) return undefined;
    const { freshness } = kept;
    const nowMs = this.#options.clock();
    // What was told after this one asked is what it would be told.
    if (hasWaited && freshness.toldMs >= sinceMs) return await this.#serve(kept, asking, 'joined');
    if (metadata.isAskedAnew !== true && freshness.isFresh(form, nowMs))
      return await this.#serve(kept, asking, 'hit');
    return this.#away.isAway(place) && freshness.mayBeStale(nowMs)
      ? await this.#serve(kept, asking, 'stale')
      : undefined;
  }

  async #lead(asking: Asking): Promise<Served> {
    const { promise: landed, resolve } = Promise.withResolvers<undefined>();
    const land = (): void => {
      if (this.#flights.get(asking.id) === flight) this.#flights.delete(asking.id);
      resolve(undefined);
    };
    const flight: Flight = { landed, land, found: 'nothing' };
    this.#flights.set(asking.id, flight);
    try {
      await using kept = await this.#kept(asking.id);
      const served = await this.#ask(asking, flight, kept);
      // What is here is of another one than the registry's: all of it is asked for.
      return served ?? (await this.#ask(asking, flight, undefined)) ?? (await this.#pass(asking));
    } finally {
      land();
    }
  }

  /** Undefined: nothing was handed on, for what is kept is of no use. */
  async #ask(asking: Asking, flight: Flight, kept: Kept | undefined): Promise<Served | undefined> {
    const { clock, limits } = this.#options;
    const { form, reader, request, forwarder, metadata } = asking;
    using check = metadata.check();
    await using file = this.#file(request.sessionId);
    const mayBeStale = kept?.freshness.mayBeStale(clock()) === true;
    const fetch = new MetadataFetch({
      receiver: this.#told(reader.receiver, asking, () => fetch.stage.kind === 'passing' && flight.land()),
      kept: kept?.freshness,
      mayBeStale,
      onAway: () => patience.end(),
      freshnessOf: (headers) => Freshness.of(form, headers, clock),
      file,
      check,
    });
    using patience = new Patience(mayBeStale ? limits.cacheFollowQuietMs : undefined, fetch);
    let result: ForwardResult;
    try {
      result = await forwarder.forward(patience.asked(request, kept?.freshness), fetch);
    } catch (error) {
      // The next one of those that wait asks.
      if (request.signal.aborted) flight.found = 'kept';
      const { kind } = fetch.stage;
      const isAway = kind === 'away' || (kind === 'asked' && patience.meansAway(error));
      if (kept === undefined || !mayBeStale || !isAway || request.signal.aborted) throw error;
      return await this.#serveStale(kept, asking, flight);
    }
    const { stage } = fetch;
    if (stage.kind === 'away' && kept !== undefined) return await this.#serveStale(kept, asking, flight);
    if (stage.kind === 'unchanged' && kept !== undefined)
      return await this.#serveUnchanged(kept, asking, flight, stage.headers);
    if (stage.kind === 'storing' && fetch.isWhole(result))
      flight.found = (await this.#keep(asking, stage.freshness, file)) ? 'kept' : 'nothing';
    return result;
  }

  /** Tells where it comes from before the client gets the head. */
  #told(receiver: ResponseReceiver, { metadata }: Asking, onHead: () => void): ResponseReceiver {
    return {
      onInformation: (status, rawHeaders) => receiver.onInformation(status, rawHeaders),
      onHead: (status, rawHeaders, endsAtHead) => {
        onHead();
        metadata.onSource('fetched', undefined);
        this.#options.onCount('fetched', 1);
        receiver.onHead(status, rawHeaders, endsAtHead);
      },
      onData: (chunk, resume) => receiver.onData(chunk, resume),
      onTrailers: (rawTrailers) => receiver.onTrailers(rawTrailers),
      onComplete: () => receiver.onComplete?.(),
    };
  }

  async #serveStale(kept: Kept, asking: Asking, flight: Flight): Promise<Served> {
    this.#away.found(asking.place);
    flight.found = 'away';
    flight.land();
    return await this.#serve(kept, asking, 'stale');
  }

  async #serveUnchanged(
    kept: Kept,
    asking: Asking,
    flight: Flight,
    headers: HeaderList,
  ): Promise<Served | undefined> {
    const { clock, folder } = this.#options;
    const freshness = kept.freshness.revalidated(asking.form, headers, clock);
    if (freshness === undefined) {
      await this.#forget(kept.entry);
      return undefined;
    }
    const entry = { ...kept.entry, fields: fieldsOf(freshness), freshness: freshness.stored };
    await folder.keepEntry(entry).catch(this.#disk.failed);
    flight.found = 'kept';
    flight.land();
    return await this.#serve({ ...kept, entry, freshness }, asking, 'revalidated');
  }

  async #keep({ id, metadata }: Asking, freshness: Freshness, file: ComingFile): Promise<boolean> {
    const { folder, clock } = this.#options;
    const there = await folder.entry(id).catch(() => undefined);
    // Who read slowly comes behind one that asked later.
    if (there !== undefined && there.storedMs > freshness.toldMs && there.storedMs <= clock()) return true;
    const whole = await file.whole();
    if (whole === undefined) return false;
    const { registry, name } = metadata.key;
    const { sha256, bytes, object } = whole;
    const entry: CacheEntry = {
      key: id,
      registry,
      name,
      promised: `sha256-${Buffer.from(sha256, 'hex').toString('base64')}`,
      sha256,
      bytes,
      fields: fieldsOf(freshness),
      storedMs: freshness.toldMs,
      freshness: freshness.stored,
    };
    try {
      await folder.keep(object, entry);
    } catch (error) {
      this.#disk.failed(error);
      return false;
    }
    this.#room.kept(blocksOf(bytes) + blocksOf(1), 2);
    this.#disk.worked();
    this.#options.onCount('stored', 1);
    return true;
  }

  async #serve(
    { entry, object, freshness }: Kept,
    { reader, metadata }: Asking,
    source: MetadataSource,
  ): Promise<Served> {
    const { clock, folder, onCount } = this.#options;
    metadata.onSource(source, freshness.toldMs);
    onCount(source, 1);
    const { receiver } = reader;
    const { ifNoneMatch } = metadata;
    const { status, rawHeaders } = metadataHead(entry, freshness, {
      isStale: source === 'stale',
      ifNoneMatch,
    });
    if (status === 304) {
      receiver.onHead(304, rawHeaders, true);
      receiver.onComplete?.();
      return {};
    }
    const isWhole = await readOutWhole(object.handle, entry, reader, () => receiver.onHead(200, rawHeaders));
    if (!isWhole) {
      await this.#forget(entry);
      onCount('damaged', 1);
      throw new ProxyError(
        'internal',
        'what the cache has of a registry is not what was kept, and is gone now',
      );
    }
    receiver.onComplete?.();
    void folder.used(entry, clock()).catch(() => undefined);
    return {};
  }

  async #pass({ forwarder, request, reader, metadata }: Asking): Promise<ForwardResult> {
    metadata.onSource('passed', undefined);
    this.#options.onCount('passed', 1);
    return await forwarder.forward(withValidators(request, undefined), reader.receiver);
  }

  /** What the disk does not give is not there. */
  async #kept(id: string): Promise<Kept | undefined> {
    const { folder, clock, onFault } = this.#options;
    try {
      const entry = await folder.entry(id);
      if (entry?.freshness === undefined) return undefined;
      const object = await folder.object(entry);
      if (object === undefined) {
        await folder.forget(entry);
        return undefined;
      }
      const closed = this.#room.opened(entry.sha256, entry.bytes);
      return {
        entry,
        object,
        freshness: new Freshness(entry.freshness, clock),
        [Symbol.asyncDispose]: async () => {
          await object.handle.close().catch(() => undefined);
          closed();
        },
      };
    } catch (error) {
      onFault(asProxyError(error));
      return undefined;
    }
  }

  async #forget(entry: CacheEntry): Promise<void> {
    await this.#options.folder.forget(entry).catch(this.#disk.failed);
  }

  #file(sessionId: string): ComingFile {
    const { folder, keepBytes, limits } = this.#options;
    const place = {
      temporary: () => folder.temporary(),
      room: new FetchRoom(this.#room, sessionId, keepBytes),
      reserve: (octets: number) => sessionRoom(this.#options.held, sessionId, octets),
      onDiskFault: this.#disk.failed,
    };
    return new ComingFile(place, this.#disk.isUnwritable ? 0 : limits.packageMetadataBytesMax);
  }
}
