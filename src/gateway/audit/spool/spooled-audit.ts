// The audit where the store can be away: batches go to a file of this machine first, and from there to the store. What got a response is
// in the file; what the store has is in the order of the file, each once.

import { ProxyError, asProxyError } from '../../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../../protocol/limits.ts';
import type { AuditEvent } from '../../../api/audit-event.ts';
import type { AuditDelivery, AuditEntry, AuditStore } from '../../../store/store.ts';
import { RepeatedLook } from '../../../system/repeated-look.ts';
import { SpoolDelivery } from './spool-delivery.ts';
import { SpoolFolder } from './spool-folder.ts';
import { type SpoolGap, SpoolReader } from './spool-reader.ts';
import type { OpenFile } from './spool-segment.ts';
import { SpoolWriter } from './spool-writer.ts';

const retryDelayMsInitial = 100;

export interface SpooledAuditOptions {
  /** Of all spools of this gateway. */
  readonly directory: string;
  readonly store: Pick<AuditStore, 'leftOpen'>;
  readonly delivery: AuditDelivery;
  readonly limits?: Limits;
  readonly onFault: (error: ProxyError) => void;
  /** Records that were safe and are not there any more. */
  readonly onGap: (spool: string, gap: SpoolGap) => void;
  readonly openFile?: OpenFile;
}

/** What waits to be seen by the store. */
export interface SpoolState {
  readonly waitingBytes: number;
  readonly waitingRecords: number;
}

interface Waiter {
  readonly sequence: number;
  resolve(): void;
}

/** What the audit's log writes to in place of the store. */
export class SpooledAudit implements Pick<AuditStore, 'append' | 'leftOpen'>, AsyncDisposable {
  readonly #options: SpooledAuditOptions;
  readonly #folder: SpoolFolder;
  readonly #writer: SpoolWriter;
  readonly #reader: SpoolReader;
  readonly #delivery: SpoolDelivery;
  readonly #stop = new AbortController();
  readonly #spool: string;
  #wake = Promise.withResolvers<void>();
  #waiters: Waiter[] = [];
  #running: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  /** Spools in which something was missing. */
  readonly #damaged = new Set<string>();
  /** Spools of others that are delivered and still here. */
  readonly #adopted = new Set<string>();
  /** What was told last: it is told again only if something else was in between. */
  #told = '';
  #isFailing = false;
  #isOnDuty: () => boolean = () => true;
  #onAdopted: () => Promise<void> = async () => undefined;
  readonly #adopting: RepeatedLook;

  private constructor(
    options: SpooledAuditOptions,
    folder: SpoolFolder,
    own: { readonly spool: string; readonly writer: SpoolWriter },
  ) {
    const { delivery } = options;
    this.#options = options;
    this.#folder = folder;
    this.#spool = own.spool;
    this.#writer = own.writer;
    this.#reader = new SpoolReader(() => own.writer.segments);
    this.#delivery = new SpoolDelivery({
      spool: own.spool,
      reader: this.#reader,
      delivery,
      onGap: options.onGap,
    });
    this.#adopting = new RepeatedLook({
      look: (signal) => this.#adopt(signal),
      intervalMs: defaultLimits.spoolAdoptIntervalMs,
      onFault: options.onFault,
    });
  }

  /** Throws ProxyError `audit_unavailable` if there is no place for it. */
  static async open(options: SpooledAuditOptions): Promise<SpooledAudit> {
    const limits = options.limits ?? defaultLimits;
    const folder = await SpoolFolder.open(options.directory);
    try {
      const own = await folder.own();
      const { openFile } = options;
      const writer = new SpoolWriter({ ...own, limits, ...(openFile === undefined ? {} : { openFile }) });
      await writer.start();
      return new SpooledAudit(options, folder, { spool: own.spool, writer });
    } catch (error) {
      folder.close();
      throw error;
    }
  }

  /** Whether something new may be begun; what runs may end all the same. */
  get hasRoom(): boolean {
    return this.#writer.hasRoom;
  }

  get state(): SpoolState {
    return {
      waitingBytes: this.#writer.waitingBytes,
      waitingRecords: this.#writer.sequence - this.#delivery.reached,
    };
  }

  /** Resolves when the batch survives the loss of power, whether the store is there or not. Throws ProxyError `audit_unavailable`. */
  async append(entries: readonly AuditEntry[], open: readonly AuditEntry[] = []): Promise<void> {
    if (entries.length === 0 && open.length === 0) return;
    await this.#writer.append(entries, open);
    this.#wake.resolve();
  }

  /** What is left once the store has all of this process so far. Throws ProxyError `store_unavailable` where that takes too long. */
  async leftOpen(limit: number): Promise<readonly AuditEvent[]> {
    await this.delivered();
    return await this.#options.store.leftOpen(limit);
  }

  /** Delivers what earlier processes left, before anything of this one. Throws ProxyError `store_unavailable`. */
  async adopt(): Promise<void> {
    await this.#adopt(this.#stop.signal);
  }

  /** Looks again and again for what processes have left that ended meanwhile. `onAdopted`: they may have left something open. */
  keepAdopting(isOnDuty: () => boolean, onAdopted: () => Promise<void>): void {
    this.#isOnDuty = isOnDuty;
    this.#onAdopted = onAdopted;
    this.#adopting.start();
  }

  /** Begins to deliver; what is appended before waits. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when the store has all that was appended before the call. Throws ProxyError `store_unavailable` where that takes too long. */
  async delivered(): Promise<void> {
    this.start();
    const sequence = this.#writer.sequence;
    if (this.#delivery.reached >= sequence) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiters.push({ sequence, resolve });
    const timer = setTimeout(() => {
      reject(new ProxyError('store_unavailable', 'The store did not take over the audit in time.'));
    }, defaultLimits.spoolDeliveredTimeoutMs);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiters = this.#waiters.filter((one) => one.resolve !== resolve);
    }
  }

  /** Delivers what is left, as far as the store takes it in time: the rest is for the next start. Closing twice is harmless. */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#adopting.close();
    const isDelivered = !this.#isFailing && (await this.#isDelivered());
    this.#stop.abort();
    this.#wake.resolve();
    await this.#running;
    if (isDelivered) await this.#options.delivery.finish(this.#spool).catch(() => undefined);
    await this.#reader.close();
    await this.#writer.close();
    this.#folder.close();
  }

  #isDelivered(): Promise<boolean> {
    return this.delivered().then(
      () => true,
      () => false,
    );
  }

  #tellFault(error: ProxyError): void {
    if (error.message !== this.#told) this.#options.onFault(error);
    this.#told = error.message;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let delayMs = retryDelayMsInitial;
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers();
      // As soon as the disk has room again.
      if (!this.#writer.hasReserve) await this.#writer.makeReserve();
      try {
        const hasMore = await this.#delivery.step();
        delayMs = retryDelayMsInitial;
        this.#isFailing = false;
        await this.#tell();
        // What is appended from now on wakes it. Whether all that was appended can be read is not asked: a damaged tail comes to nothing.
        if (hasMore) continue;
        const { spoolSignOfLifeMs, auditRetryDelayMsMax } = defaultLimits;
        const pauseMs = this.#writer.hasReserve ? spoolSignOfLifeMs : auditRetryDelayMsMax;
        await this.#wait(pauseMs, this.#wake.promise);
      } catch (error) {
        // A store that is away is told by those who watch it.
        const fault = asProxyError(error, 'store_unavailable');
        if (fault.code !== 'store_unavailable') this.#tellFault(fault);
        this.#isFailing = true;
        await this.#wait(delayMs);
        delayMs = Math.min(delayMs * 2, defaultLimits.auditRetryDelayMsMax);
      }
    }
  }

  async #tell(): Promise<void> {
    const { reached } = this.#delivery;
    for (const { sequence, resolve } of this.#waiters) if (sequence <= reached) resolve();
    await this.#writer.delivered(reached);
  }

  /** For so long, until `earlier` or until the end. */
  async #wait(ms: number, earlier?: Promise<void>): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, ms);
    const { signal } = this.#stop;
    const onAbort = (): void => late.resolve();
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) late.resolve();
    await Promise.race([late.promise, ...(earlier === undefined ? [] : [earlier])]);
    signal.removeEventListener('abort', onAbort);
    clearTimeout(timer);
  }

  async #adopt(signal: AbortSignal): Promise<void> {
    if (!this.#isOnDuty()) return;
    let adopted = 0;
    for (const id of await this.#folder.left()) {
      if (signal.aborted) return;
      try {
        if (await this.#adoptOne(id, signal)) adopted += 1;
      } catch (error) {
        const fault = asProxyError(error, 'audit_unavailable');
        if (fault.code === 'store_unavailable') throw fault;
        // One that cannot be read holds up none of the others; the next look tries it again.
        this.#tellFault(fault);
      }
    }
    if (adopted > 0) await this.#onAdopted();
  }

  /** Whether something came of it. It stays a while, for a store that goes back asks for it again. */
  async #adoptOne(id: string, signal: AbortSignal): Promise<boolean> {
    const { delivery, onGap } = this.#options;
    const left = await this.#folder.read(id, (error) => this.#tellFault(error));
    const reader = new SpoolReader(() => left.segments);
    const one = new SpoolDelivery({
      spool: id,
      reader,
      delivery,
      onGap: (spool, gap) => {
        this.#damaged.add(spool);
        onGap(spool, gap);
      },
    });
    try {
      while (await one.step()) if (signal.aborted) return false;
      await delivery.finish(id);
      const isNew = !this.#adopted.has(id);
      this.#adopted.add(id);
      if (Date.now() - left.writtenMs > defaultLimits.spoolKeptMs) {
        await this.#folder.remove(id, this.#damaged.delete(id));
        this.#adopted.delete(id);
      }
      return isNew;
    } finally {
      await reader.close();
    }
  }
}
