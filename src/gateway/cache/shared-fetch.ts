// One fetch of an archive for all who wait for it. It goes to a file as fast as that is written, and each of them reads from there as fast as
// it likes. Who leaves, and whose client is slow, holds up nobody; what breaks the fetch lets each of the others ask for itself.

import { Buffer } from 'node:buffer';
import { createHash, type Hash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { HeaderList } from '../../http/header-list.ts';
import { codingBeforeChunks } from '../../http/response-framing.ts';
import { validateResponse } from '../../http/response-validation.ts';
import { owned } from '../../net/shared-reads.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { clientLeft, type Forwarder, type ForwardRequest } from '../forward/forwarder.ts';
import type { ForwardResult, ResponseReceiver } from '../forward/forwarder.ts';
import { keptHead } from './cache-entry.ts';
import { type TemporaryObject, writeFully } from './cache-folder.ts';
import type { FetchRoom } from './fetch-room.ts';
import { firstOf, type Reader, readOut } from './read-out.ts';
import type { SentSoFar } from './rest-receiver.ts';
import { dated, madeMs } from './response-age.ts';
import { type StoredArchive, storedResponse } from './stored-response.ts';

/** What of a fetch waits for the disk. */
export const writeAheadBytes = 262_144;

/** The longest that a timer can wait. */
const timerMsMax = 2 ** 31 - 1;

/** Where the fetch goes. */
export interface FetchPlace {
  readonly limits: Pick<Limits, 'cachedArchiveBytesMax' | 'cacheFollowQuietMs' | 'idleTimeoutMs'>;
  readonly clock: () => number;
  temporary(): Promise<TemporaryObject>;
  readonly room: FetchRoom;
  /** It is whole, and what is promised. */
  keep(object: TemporaryObject, whole: WholeObject): Promise<void>;
  /** The disk does not take it. */
  onDiskFault(error: unknown): void;
}

export interface WholeObject extends StoredArchive {
  readonly sha256: string;
}

/** How it went for one that waited. `alone`: it has to ask for itself, from so many octets on; undefined: from the head on. */
export type Followed =
  | { readonly kind: 'whole'; readonly result: ForwardResult }
  | { readonly kind: 'alone'; readonly had: SentSoFar | undefined; readonly isFault: boolean };

type Stage =
  | { readonly kind: 'asked' }
  /** What comes is for the one alone that began it. */
  | { readonly kind: 'passing' }
  | { readonly kind: 'storing' }
  | { readonly kind: 'whole'; readonly result: ForwardResult }
  /** `isOwn`: it is the cache that could not go on. */
  | { readonly kind: 'broken'; readonly error: ProxyError; readonly isOwn: boolean };

export class SharedFetch implements ResponseReceiver {
  readonly #place: FetchPlace;
  readonly #promised: { readonly digest: string; readonly hash: Hash };
  readonly #sha256 = createHash('sha256');
  readonly #end = new AbortController();
  readonly #leader: Reader;
  #isLed = true;
  #isLate = false;
  #readers = 0;
  #stage: Stage = { kind: 'asked' };
  #stored: StoredArchive | undefined;
  #length: number | undefined;
  #received = 0;
  #written = 0;
  /** Of what was written, so much some client has taken. */
  #furthest = 0;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #resume: (() => void) | undefined;
  #writing: Promise<void> | undefined;
  #object: TemporaryObject | undefined;
  #progress = Promise.withResolvers<undefined>();
  #ran: Promise<void> | undefined;

  /** @param promised as `sha512-…` with base64 */
  constructor(leader: Reader, promised: string, place: FetchPlace) {
    this.#leader = leader;
    this.#place = place;
    this.#promised = { digest: promised, hash: createHash(promised.slice(0, promised.indexOf('-'))) };
  }

  get readers(): number {
    return this.#readers;
  }

  /** Whether one that comes now can be served by it. */
  get isOpen(): boolean {
    const { kind } = this.#stage;
    if (this.#isLate) return false;
    return kind === 'asked' || kind === 'storing' || (kind === 'whole' && this.#object !== undefined);
  }

  /** Asks the origin. Resolves when nothing of it is under way any more; never rejects. */
  run(forwarder: Pick<Forwarder, 'forward'>, request: ForwardRequest): Promise<void> {
    return (this.#ran ??= this.#run(forwarder, request));
  }

  /** Serves one that waits. @throws ProxyError what is its own: it left, or its client; of the one that began it also what the origin did */
  async follow(reader: Reader): Promise<Followed> {
    this.#readers += 1;
    try {
      return await this.#follow(reader, reader === this.#leader);
    } finally {
      this.#readers -= 1;
      if (reader === this.#leader) this.#isLed = false;
      // What nobody waits for is not fetched to its end.
      if (this.#readers === 0 && this.#stage.kind !== 'whole') this.#end.abort();
      if (this.#readers === 0) this.#told();
    }
  }

  async #follow(reader: Reader, isLeader: boolean): Promise<Followed> {
    let had: number | undefined;
    const alone = (isFault: boolean): Followed => {
      const sent = had === undefined ? undefined : { octets: had, length: this.#length };
      return { kind: 'alone', had: sent, isFault };
    };
    for (;;) {
      const { receiver, signal } = reader;
      if (signal.aborted) throw clientLeft();
      const progress = this.#progress.promise;
      const stage = this.#stage;
      if (stage.kind === 'passing' && !isLeader) return alone(false);
      if (stage.kind === 'broken') {
        if (isLeader && !stage.isOwn) throw stage.error;
        return alone(true);
      }
      if (this.#stored !== undefined && had === undefined) {
        const { rawHeaders } = storedResponse(this.#stored, undefined, this.#place.clock());
        receiver.onHead(200, this.#length === undefined ? withoutLength(rawHeaders) : rawHeaders);
        had = 0;
      }
      if (had !== undefined && had < this.#written && this.#object !== undefined) {
        const to = this.#written;
        await readOut(this.#object.handle, { from: had, to }, reader, (at) => {
          had = at;
          this.#taken(at);
        });
        continue;
      }
      if (stage.kind === 'whole') {
        if (this.#stored !== undefined) receiver.onComplete?.();
        return { kind: 'whole', result: stage.result };
      }
      const waitMs = this.#waitMs(isLeader);
      if ((await firstOf(progress, { signal, waitMs })) === 'late') {
        // Whoever comes now would wait for nothing too.
        this.#isLate = true;
        return alone(false);
      }
    }
  }

  #taken(at: number): void {
    if (at <= this.#furthest) return;
    this.#furthest = at;
    this.#goOnIfTaken();
  }

  /** The one that began it waits as long as the origin may take, as it would without a cache; else a disk that hangs would hold it. */
  #waitMs(isLeader: boolean): number {
    const { cacheFollowQuietMs, idleTimeoutMs } = this.#place.limits;
    if (!isLeader) return cacheFollowQuietMs;
    return this.#stage.kind === 'storing' ? 2 * idleTimeoutMs : timerMsMax;
  }

  async #run(forwarder: Pick<Forwarder, 'forward'>, request: ForwardRequest): Promise<void> {
    try {
      const result = await forwarder.forward(
        {
          ...request,
          signal: this.#end.signal,
          onConnection: (connection) => {
            if (this.#isLed) request.onConnection?.(connection);
          },
        },
        this,
      );
      await this.#writing;
      // What broke meanwhile is told already.
      if (this.#stage.kind === 'broken') return;
      const wasStored = this.#stored !== undefined;
      this.#stage = { kind: 'whole', result };
      this.#told();
      if (wasStored) await this.#keep();
    } catch (error) {
      this.#break(asProxyError(error), false);
    } finally {
      await this.#finish();
    }
  }

  onInformation(status: number, rawHeaders: readonly string[]): void {
    if (this.#isLed) this.#leader.receiver.onInformation(status, rawHeaders);
  }

  onHead(status: number, rawHeaders: readonly string[], endsAtHead = false): void {
    const kept = endsAtHead ? undefined : this.#storable(status, rawHeaders);
    if (kept === undefined) {
      this.#stage = { kind: 'passing' };
      this.#told();
      if (this.#isLed) this.#leader.receiver.onHead(status, rawHeaders, endsAtHead);
      else this.#end.abort();
      return;
    }
    this.#length = kept.length;
    this.#stored = { bytes: kept.length ?? 0, fields: kept.fields, storedMs: kept.storedMs };
    this.#stage = { kind: 'storing' };
    this.#told();
  }

  onData(chunk: Uint8Array, resume: () => void): boolean {
    if (this.#stage.kind === 'passing')
      return this.#isLed ? this.#leader.receiver.onData(chunk, resume) : true;
    if (this.#stage.kind !== 'storing') return true;
    this.#received += chunk.byteLength;
    if (this.#received > this.#place.limits.cachedArchiveBytesMax) {
      this.#break(new ProxyError('limit_exceeded', 'the archive is too long to be kept'), true);
      return true;
    }
    this.#promised.hash.update(chunk);
    this.#sha256.update(chunk);
    this.#queue.push(owned(chunk));
    this.#queued += chunk.byteLength;
    this.#write();
    if (!this.#isAhead) return true;
    this.#resume = resume;
    return false;
  }

  onTrailers(rawTrailers: readonly string[]): void {
    if (this.#stage.kind === 'passing' && this.#isLed) this.#leader.receiver.onTrailers(rawTrailers);
  }

  onComplete(): void {
    if (this.#stage.kind === 'passing' && this.#isLed) this.#leader.receiver.onComplete?.();
  }

  /** Nothing but whole responses that say so, to be kept by everybody, and no longer than may be. */
  #storable(
    status: number,
    rawHeaders: readonly string[],
  ): (Omit<StoredArchive, 'bytes'> & { readonly length: number | undefined }) | undefined {
    if (status !== 200) return undefined;
    const raw = HeaderList.fromRaw(rawHeaders);
    const transferCoding = codingBeforeChunks(raw.all('transfer-encoding'));
    if (transferCoding !== undefined && transferCoding !== 'none') return undefined;
    const { headers } = validateResponse({ status, rawHeaders, requestMethod: 'GET' });
    const coding = headers.all('content-encoding').join(',').trim().toLowerCase();
    if ((coding !== '' && coding !== 'identity') || headers.has('content-range')) return undefined;
    if (/\b(?:no-store|private)\b/i.test(headers.all('cache-control').join(','))) return undefined;
    const [said] = headers.all('content-length');
    const length = said === undefined ? undefined : Number(said);
    if (headers.all('vary').some((names) => !names.split(',').every(isSameForAll))) return undefined;
    if (length !== undefined && length > this.#place.limits.cachedArchiveBytesMax) return undefined;
    const storedMs = madeMs(headers, this.#place.clock());
    return { length, fields: dated(keptHead(headers), storedMs), storedMs };
  }

  #write(): void {
    this.#writing ??= this.#writeAll().then(
      () => {
        this.#writing = undefined;
      },
      (error: unknown) => {
        this.#writing = undefined;
        this.#place.onDiskFault(error);
        this.#break(asProxyError(error), true);
      },
    );
  }

  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0) {
      const [first, ...others] = this.#queue.splice(0);
      if (first === undefined) return;
      const next = others.length === 0 ? first : Buffer.concat([first, ...others]);
      if (!(await this.#place.room.reach(this.#written + next.byteLength, this.#length))) {
        this.#break(new ProxyError('limit_exceeded', 'the cache has no room for the archive'), true);
        return;
      }
      this.#object ??= await this.#place.temporary();
      await writeFully(this.#object.handle, next, this.#written);
      this.#written += next.byteLength;
      this.#place.room.wrote(this.#written);
      this.#queued -= next.byteLength;
      this.#told();
      this.#goOnIfTaken();
    }
  }

  /** What no client takes is not fetched: with clients that read nothing a session could have anything fetched. */
  get #isAhead(): boolean {
    const untaken = this.#received - this.#furthest;
    return this.#queued >= writeAheadBytes || untaken >= defaultLimits.cacheAheadBytesMax;
  }

  #goOnIfTaken(): void {
    if (!this.#isAhead) this.#goOn();
  }

  #goOn(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  async #keep(): Promise<void> {
    const { digest, hash } = this.#promised;
    const isWhole = this.#length === undefined || this.#length === this.#received;
    const isPromised = hash.digest('base64') === digest.slice(digest.indexOf('-') + 1);
    if (!isWhole || !isPromised || this.#stored === undefined || this.#object === undefined) return;
    const { fields, storedMs } = this.#stored;
    const whole = { bytes: this.#received, fields, storedMs, sha256: this.#sha256.digest('hex') };
    try {
      await this.#place.keep(this.#object, whole);
      this.#place.room.kept(whole.sha256, whole.bytes);
    } catch (error) {
      this.#place.onDiskFault(error);
    }
  }

  #break(error: ProxyError, isOwn: boolean): void {
    if (this.#stage.kind === 'broken' || this.#stage.kind === 'whole') return;
    this.#stage = { kind: 'broken', error, isOwn };
    this.#queue = [];
    this.#told();
    // Nobody takes what still comes.
    this.#goOn();
    this.#end.abort();
  }

  #told(): void {
    const { resolve } = this.#progress;
    this.#progress = Promise.withResolvers();
    resolve(undefined);
  }

  /** The file goes when the last one has read it: what has a name by then is kept under that. */
  async #finish(): Promise<void> {
    await this.#writing;
    if (this.#object === undefined) {
      this.#place.room.close();
      return;
    }
    await rm(this.#object.path, { force: true }).catch(() => undefined);
    // Those that read it at this moment read it to its end.
    void this.#closeWhenRead(this.#object);
  }

  async #closeWhenRead({ handle }: TemporaryObject): Promise<void> {
    while (this.#readers > 0) await this.#progress.promise;
    this.#object = undefined;
    await handle.close().catch(() => undefined);
    // A file that has no name takes its room until then.
    this.#place.room.close();
  }
}

/** Fields that no request has that comes here, or that change nothing of an archive without a coding. */
const sameForAll: ReadonlySet<string> = new Set([
  'accept-encoding',
  'access-control-request-headers',
  'access-control-request-method',
  'authorization',
  'cookie',
  'origin',
]);
const isSameForAll = (name: string): boolean =>
  name.trim() === '' || sameForAll.has(name.trim().toLowerCase());

function withoutLength(rawHeaders: readonly string[]): readonly string[] {
  return HeaderList.fromRaw(rawHeaders).without('content-length', 'accept-ranges').toRaw();
}
