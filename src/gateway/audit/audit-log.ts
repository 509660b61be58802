// The audit: a bounded queue in front of the store and a file. Nothing is served that could not be audited.

import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import type { AuditEvent } from '../../api/audit-event.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type LimitName, type Limits } from '../../protocol/limits.ts';
import type { AuditEntry, AuditStore } from '../../store/store.ts';
import { AuditEntries } from './audit-entries.ts';
import { AuditFile } from './audit-file.ts';
import { AuditRates } from './audit-rates.ts';
import type { HeldEntry } from './held-entry.ts';
import { lostEvent } from './lost-event.ts';
import { OpenExchanges, type OpenExchange } from './open-exchanges.ts';
import { QueueShare } from './queue-share.ts';
import { RoomWaiters } from './room-waiters.ts';

const retryDelayMsInitial = 100;
const lineEnd = Buffer.from('\n');

/** Where the request path leaves its events. */
export interface AuditSink {
  /** Takes an event. Never throws and never waits. */
  append(event: AuditEvent): void;
  /** False while events cannot be stored or too many wait. Then nothing new may be served: no audit, no exchange. */
  readonly healthy: boolean;
}

/** A sink that knows of what has not ended too. */
export interface ExchangeSink extends AuditSink {
  /** Takes an event, and what has ended with it. */
  append(event: AuditEvent, ended?: OpenExchange): void;
  /**
   * Takes what begins, and again when more of it is known: if the process ends before it does, the next one finds it.
   * Never throws and never waits.
   */
  keep(one: OpenExchange): void;
  /** How many of that session were kept and have not ended. */
  openOf(sessionId: string): number;
  /** Why that session may begin nothing now: it fills the audit faster than it may, or more of the queue than others leave it. */
  overRate(sessionId: string): ProxyError | undefined;
  /** For what that session begins now, if the store lags behind it: resolves when it has caught up, or did not in time. */
  room?(sessionId: string): Promise<void> | undefined;
  /** Takes a refusal for that reason, which shares its event with others. */
  sum(event: AuditEvent): void;
}

/** A sink that can be waited for. */
export interface DurableAuditSink extends AuditSink {
  /** Resolves when every event so far is stored; ProxyError `audit_unavailable` if that fails. */
  flush(): Promise<void>;
}

/** Where batches are safe. */
export interface AuditPlace extends Pick<AuditStore, 'append' | 'leftOpen'> {
  /** False: nothing new may be begun, and what runs may still end. */
  readonly hasRoom?: boolean;
}

export interface AuditLogOptions {
  /** The store, or what keeps batches for it. */
  readonly store: AuditPlace;
  /** Path of a JSON lines file, written beside the store. */
  readonly file?: string;
  readonly limits?: Limits;
  /** Told once when storing begins to fail, and once when events begin to be lost. */
  readonly onFault?: (error: ProxyError) => void;
  /** Told of each event that a full queue loses. */
  readonly onLimit?: (limit: LimitName) => void;
  /** Told of each event that is taken, with its JSON. Never throws and never waits. */
  readonly onTaken?: (event: AuditEvent, json: string) => void;
}

/** Opens the log. Throws ProxyError `audit_unavailable` if the file cannot be written. */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const file = options.file === undefined ? undefined : await AuditFile.open(options.file);
  return new AuditLog(options, file);
}

/** A batch on its way: what of it is done already, so that a retry writes nothing twice. */
interface Batch {
  readonly entries: readonly HeldEntry[];
  readonly open: readonly AuditEntry[];
  stored: boolean;
  fileBytes: Uint8Array;
}

interface Waiter {
  readonly position: number;
  resolve(): void;
  reject(error: ProxyError): void;
}

/** Owner of queue and file; the store belongs to whoever opened it. */
export class AuditLog implements ExchangeSink, DurableAuditSink, AsyncDisposable {
  readonly #store: AuditPlace;
  readonly #file: AuditFile | undefined;
  readonly #limits: Limits;
  readonly #onFault: (error: ProxyError) => void;
  readonly #onLimit: (limit: LimitName) => void;
  readonly #onTaken: AuditLogOptions['onTaken'];
  readonly #stop = new AbortController();
  /** Events that wait, without those of `#batch`. */
  #queue: HeldEntry[] = [];
  #queueBytes = 0;
  readonly #share = new QueueShare();
  readonly #roomWaiters = new RoomWaiters(defaultLimits.auditRoomTimeoutMs);
  readonly #open: OpenExchanges;
  readonly #rates: AuditRates;
  readonly #entries: AuditEntries;
  #batch: Batch | undefined;
  #appended = 0;
  #written = 0;
  /** Up to here events have waited long enough for company. */
  #dueThrough = 0;
  #lost = 0;
  #failing = false;
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #pump: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #waiters: Waiter[] = [];

  constructor(options: AuditLogOptions, file: AuditFile | undefined) {
    this.#store = options.store;
    this.#file = file;
    this.#limits = options.limits ?? defaultLimits;
    this.#entries = new AuditEntries(this.#limits.auditEventBytesMax);
    this.#open = new OpenExchanges(this.#limits.auditFlushDelayMs);
    this.#onFault = options.onFault ?? (() => {});
    this.#onLimit = options.onLimit ?? (() => {});
    this.#onTaken = options.onTaken;
    this.#rates = new AuditRates(
      this.#limits,
      () => performance.now(),
      (event, ended) => this.#append(this.#entries.of(event, this.#open.leave(ended)), event),
      (one) => this.keep(one),
    );
  }

  get healthy(): boolean {
    // Half of the queue is kept for the exchanges that are under way: they still end with their event.
    return (
      !this.#failing &&
      this.#store.hasRoom !== false &&
      this.#closed === undefined &&
      this.#waiting * 2 < this.#limits.auditQueueEventsMax &&
      this.#queueBytes * 2 < this.#limits.auditQueueBytesMax
    );
  }

  append(event: AuditEvent, ended?: OpenExchange): void {
    const entry = this.#entries.of(event, ended !== undefined && this.#open.leave(ended));
    if (entry.sessionId !== undefined) this.#rates.charge(entry.sessionId, entry.jsonOctets.length);
    this.#append(entry, event);
  }

  keep(one: OpenExchange): void {
    if (this.#open.isUnmarked(one)) return;
    this.#open.keep(one, performance.now());
    this.#arm();
  }

  openOf(sessionId: string): number {
    return this.#open.of(sessionId);
  }

  room(sessionId: string): Promise<void> | undefined {
    return this.#share.isClose(sessionId, this.#left) ? this.#roomWaiters.wait(sessionId) : undefined;
  }

  /** Events that are not stored yet. */
  get #waiting(): number {
    return this.#appended - this.#written;
  }

  get #left(): number {
    return this.#limits.auditQueueEventsMax / 2 - this.#waiting;
  }

  overRate(sessionId: string): ProxyError | undefined {
    return this.#share.over(sessionId, this.#left) ?? this.#rates.overRate(sessionId, this.openOf(sessionId));
  }

  /** While `isNarrow`, only sessions that do not live on their burst begin anything. Gives whether that is new. */
  narrow(isNarrow: boolean): boolean {
    return this.#rates.narrow(isNarrow);
  }

  sum(event: AuditEvent): void {
    this.#rates.sum(event);
  }

  /**
   * Appends the events of what earlier processes left open, and gives each to `onEvent`. Resolves when they are stored;
   * ProxyError `audit_unavailable` or `store_unavailable` if that fails.
   */
  async recover(onEvent: (event: AuditEvent) => void): Promise<void> {
    for (;;) {
      const events = await this.#store.leftOpen(defaultLimits.auditRecoveredBatchMax);
      if (events.length === 0) return;
      for (const event of events) {
        this.#append(this.#entries.of(event, true), event);
        onEvent(event);
      }
      await this.flush();
    }
  }

  #append(entry: HeldEntry, event: AuditEvent): void {
    const full = this.#fullLimit(entry.jsonOctets.length);
    if (full !== undefined || this.#closed !== undefined) {
      if (full !== undefined) this.#onLimit(full);
      this.#lose(full === undefined ? 'it is closed' : 'its queue is full');
      return;
    }
    this.#push(entry, event);
    if (!this.#running && this.#waiting >= defaultLimits.auditBatchEventsMax) this.#start();
    else this.#arm();
  }

  #arm(): void {
    if (this.#closed !== undefined) return;
    this.#timer ??= setTimeout(() => this.#start(), this.#limits.auditFlushDelayMs);
  }

  #fullLimit(bytes: number): LimitName | undefined {
    if (this.#waiting >= this.#limits.auditQueueEventsMax) return 'auditQueueEventsMax';
    return this.#queueBytes + bytes > this.#limits.auditQueueBytesMax ? 'auditQueueBytesMax' : undefined;
  }

  flush(): Promise<void> {
    if (this.#written === this.#appended) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.push({ position: this.#appended, resolve, reject });
    // While writing fails, the next attempt is some seconds away: who waits is told at once.
    if (this.#failing) this.#rejectWaiters(this.#unavailable());
    else this.#start();
    return promise;
  }

  /** Writes what is left and closes the file. Throws ProxyError `audit_unavailable` if events could not be written. */
  close(): Promise<void> {
    if (this.#closed === undefined) this.#rates.flush();
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stop.abort();
    this.#roomWaiters.look(() => true);
    await this.#pump;
    try {
      for (let failures = 0; this.#waiting > 0;) {
        if (await this.#writeBatch()) continue;
        failures += 1;
        if (failures >= defaultLimits.auditCloseAttemptsMax)
          throw this.#unavailable(`${this.#waiting} events are lost`);
        await wait(retryDelayMsInitial);
      }
    } finally {
      await this.#file?.close();
    }
  }

  #lose(why: string): void {
    if (this.#lost === 0) {
      this.#onFault(
        new ProxyError('audit_unavailable', `Events are lost because the audit cannot take them: ${why}.`),
      );
    }
    this.#lost += 1;
  }

  #push(entry: HeldEntry, event: AuditEvent): void {
    this.#onTaken?.(event, entry.json);
    this.#queue.push(entry);
    this.#queueBytes += entry.jsonOctets.length;
    this.#share.add(entry);
    this.#appended += 1;
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueThrough = this.#appended;
    if (this.#running) return;
    this.#running = true;
    this.#pump = this.#run();
  }

  async #run(): Promise<void> {
    let delayMs = retryDelayMsInitial;
    while (this.#hasWork() && !this.#stop.signal.aborted) {
      if (await this.#writeBatch()) {
        delayMs = retryDelayMsInitial;
        // The store works synchronously: between batches the streams have their turn.
        await nextTurn();
      } else {
        // An abort means that the log closes, which has its own last attempts.
        await wait(delayMs, undefined, { signal: this.#stop.signal }).catch(() => {});
        delayMs = Math.min(delayMs * 2, defaultLimits.auditRetryDelayMsMax);
      }
    }
    // In the same turn as the last look at the queue: an event that comes now starts a new run.
    this.#running = false;
    if (this.#waiting > 0 || this.#open.hasUnmarked) this.#arm();
  }

  /** What came while a batch was stored waits for company too: else each batch under load would have one event, or a few. */
  #hasWork(): boolean {
    const isDue = this.#waiting >= defaultLimits.auditBatchEventsMax || this.#written < this.#dueThrough;
    return (isDue && this.#waiting > 0) || this.#batch !== undefined || this.#open.hasDue(performance.now());
  }

  /** Writes the first events of the queue to store and file. False if that failed; the next call goes on from there. */
  async #writeBatch(): Promise<boolean> {
    this.#batch ??= this.#nextBatch();
    const batch = this.#batch;
    try {
      if (!batch.stored) await this.#store.append(batch.entries, batch.open);
      batch.stored = true;
      while (this.#file !== undefined && batch.fileBytes.length > 0) {
        batch.fileBytes = batch.fileBytes.subarray(await this.#file.write(batch.fileBytes));
      }
    } catch (error) {
      this.#failed(asProxyError(error, 'audit_unavailable'));
      return false;
    }
    this.#batch = undefined;
    this.#succeeded(batch.entries);
    return true;
  }

  #nextBatch(): Batch {
    const entries = this.#takeQueued(defaultLimits.auditBatchEventsMax);
    const due = this.#open.takeDue(defaultLimits.auditBatchEventsMax, performance.now());
    const open = due.map((one) => this.#entries.of(one.unfinished(), false));
    const lines = this.#file === undefined ? [] : entries.flatMap(({ jsonOctets }) => [jsonOctets, lineEnd]);
    return { entries, open, stored: false, fileBytes: Buffer.concat(lines) };
  }

  /** As a rule the list itself: what it was cut out of would hold it in the eyes of V8, which looks at old lists seldom. */
  #takeQueued(max: number): readonly HeldEntry[] {
    const queue = this.#queue;
    this.#queue = queue.length <= max ? [] : queue.slice(max);
    return queue.length <= max ? queue : queue.slice(0, max);
  }

  #succeeded(entries: readonly HeldEntry[]): void {
    for (const entry of entries) {
      this.#queueBytes -= entry.jsonOctets.length;
      this.#share.remove(entry);
    }
    this.#written += entries.length;
    this.#failing = false;
    this.#roomWaiters.look((sessionId) => !this.#share.isClose(sessionId, this.#left));
    const ready = this.#waiters.filter(({ position }) => position <= this.#written);
    this.#waiters = this.#waiters.filter(({ position }) => position > this.#written);
    for (const { resolve } of ready) resolve();
    if (this.#lost > 0) this.#reportLost();
  }

  /** The gap is part of the record: how many events are missing stands where they would be. */
  #reportLost(): void {
    const count = this.#lost;
    this.#lost = 0;
    const event = lostEvent(count);
    this.#push(this.#entries.of(event), event);
  }

  #failed(error: ProxyError): void {
    if (!this.#failing) this.#onFault(error);
    this.#failing = true;
    this.#rejectWaiters(this.#unavailable(undefined, error));
  }

  #rejectWaiters(error: ProxyError): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject } of waiters) reject(error);
  }

  #unavailable(what = 'nothing new is served', cause?: unknown): ProxyError {
    return new ProxyError(
      'audit_unavailable',
      `The audit cannot be written, so ${what}; the gateway's log says why.`,
      { cause },
    );
  }
}
