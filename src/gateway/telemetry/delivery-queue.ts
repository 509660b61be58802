// What is told to one receiver: a bounded queue behind the audit, and one batch at a time on its way. Whoever offers something never
// waits; what finds the queue full, or a receiver that takes nothing, is dropped and counted.

import { setTimeout as wait } from 'node:timers/promises';
import { asProxyError } from '../../protocol/error.ts';
import { defaultLimits, type LimitName, type Limits } from '../../protocol/limits.ts';

const retryDelayMsInitial = 1_000;

/** What became of a batch. */
export type Delivery =
  | { readonly outcome: 'taken'; /** How many of it the receiver refused. */ readonly refused: number }
  /** The receiver may take it later; after so long, if it said when. */
  | { readonly outcome: 'later'; readonly reason: string; readonly afterMs?: number | undefined }
  /** It would be refused again. */
  | { readonly outcome: 'refused'; readonly reason: string };

/** By its `Retry-After` in seconds; a date is not read. */
export function laterBy(retryAfter: string | undefined, reason: string): Delivery {
  const seconds = Number(retryAfter ?? Number.NaN);
  const afterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
  return { outcome: 'later', reason, afterMs };
}

export interface DeliveryQueueOptions {
  /** What it is called in metrics and in the log: a word of ours. */
  readonly name: string;
  /** Events as JSON. What it throws refuses the batch. */
  readonly deliver: (batch: readonly string[], signal: AbortSignal) => Promise<Delivery>;
  readonly limits: Limits;
  readonly onLimit: (limit: LimitName) => void;
  readonly onCount: (receiver: string, outcome: 'sent' | 'dropped', count: number) => void;
  /** Told once when a receiver takes nothing, and once when it takes again. */
  readonly log: (level: 'info' | 'warn', message: string) => void;
  /** Both absent: as the limits have them. */
  readonly flushDelayMs?: number;
  readonly batchEventsMax?: number;
  /** Between two attempts. */
  readonly pause?: (ms: number) => Promise<void>;
}

export class DeliveryQueue implements AsyncDisposable {
  readonly #options: DeliveryQueueOptions;
  readonly #stop = new AbortController();
  readonly #batchEventsMax: number;
  #queue: string[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isFailing = false;
  #closed: Promise<void> | undefined;

  constructor(options: DeliveryQueueOptions) {
    this.#options = options;
    this.#batchEventsMax = options.batchEventsMax ?? defaultLimits.telemetryBatchEventsMax;
  }

  /** Whether the receiver took nothing when it was tried last. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Takes the JSON of an event, or counts it as dropped. Never throws and never waits. */
  offer(json: string): void {
    const full = this.#fullLimit(json.length);
    if (full !== undefined || this.#closed !== undefined) {
      this.#drop(1);
      if (full !== undefined) this.#options.onLimit(full);
      return;
    }
    this.#queue.push(json);
    this.#bytes += json.length;
    if (this.#running !== undefined) return;
    if (this.#queue.length >= this.#batchEventsMax) this.#start();
    else this.#arm();
  }

  /** What is left has one short attempt; the rest is counted as dropped. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #fullLimit(bytes: number): LimitName | undefined {
    const { telemetryQueueEventsMax, telemetryQueueBytesMax } = this.#options.limits;
    if (this.#queue.length >= telemetryQueueEventsMax) return 'telemetryQueueEventsMax';
    return this.#bytes + bytes > telemetryQueueBytesMax ? 'telemetryQueueBytesMax' : undefined;
  }

  #arm(): void {
    if (this.#closed !== undefined) return;
    this.#timer ??= setTimeout(
      () => this.#start(),
      this.#options.flushDelayMs ?? defaultLimits.telemetryFlushDelayMs,
    );
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#running !== undefined || this.#closed !== undefined) return;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    do {
      const batch = this.#next();
      // Until then it is counted as waiting: what is on its way is memory too.
      if (await this.#hand(batch)) this.#remove(batch);
    } while (this.#queue.length >= this.#batchEventsMax && !this.#stop.signal.aborted);
    this.#running = undefined;
    if (this.#queue.length > 0) this.#arm();
  }

  #next(): readonly string[] {
    return this.#queue.slice(0, this.#batchEventsMax);
  }

  #remove(batch: readonly string[]): void {
    this.#queue = this.#queue.slice(batch.length);
    for (const json of batch) this.#bytes -= json.length;
  }

  /** True once the batch is done with, however it went; false if the end came first. */
  async #hand(batch: readonly string[]): Promise<boolean> {
    const { telemetryTimeoutMs } = this.#options.limits;
    let delayMs = retryDelayMsInitial;
    for (let attempt = 1; ; attempt += 1) {
      const delivery = await this.#attempt(batch, telemetryTimeoutMs, this.#stop.signal);
      if (this.#stop.signal.aborted && delivery.outcome === 'later') return false;
      if (delivery.outcome !== 'later' || attempt >= defaultLimits.telemetryAttemptsMax) {
        this.#settle(batch, delivery);
        return true;
      }
      this.#failed(delivery.reason);
      const pauseMs = Math.min(
        Math.max(delivery.afterMs ?? 0, delayMs),
        defaultLimits.telemetryRetryDelayMsMax,
      );
      await this.#pause(pauseMs);
      if (this.#stop.signal.aborted) return false;
      delayMs *= 2;
    }
  }

  async #pause(ms: number): Promise<void> {
    if (this.#options.pause !== undefined) await this.#options.pause(ms);
    else await wait(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  async #attempt(batch: readonly string[], timeoutMs: number, end?: AbortSignal): Promise<Delivery> {
    const signals = [AbortSignal.timeout(timeoutMs), ...(end === undefined ? [] : [end])];
    try {
      return await this.#options.deliver(batch, AbortSignal.any(signals));
    } catch (error) {
      // An event that cannot be encoded would fail again, and must not end what carries all others.
      return { outcome: 'refused', reason: `its batch cannot be made: ${asProxyError(error).message}` };
    }
  }

  #settle(batch: readonly string[], delivery: Delivery): void {
    const { name, log } = this.#options;
    if (delivery.outcome !== 'taken') {
      this.#drop(batch.length);
      this.#failed(delivery.reason);
      return;
    }
    const refused = Math.min(Math.max(delivery.refused, 0), batch.length);
    this.#drop(refused);
    this.#options.onCount(name, 'sent', batch.length - refused);
    if (this.#isFailing) log('info', `telemetry (${name}) is taken again`);
    this.#isFailing = false;
  }

  #drop(count: number): void {
    if (count > 0) this.#options.onCount(this.#options.name, 'dropped', count);
  }

  #failed(reason: string): void {
    const { name, log } = this.#options;
    if (!this.#isFailing)
      log(
        'warn',
        `telemetry (${name}) is not taken: ${reason}; what finds no room is dropped, and the audit has it`,
      );
    this.#isFailing = true;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stop.abort();
    await this.#running;
    const deadlineMs = performance.now() + defaultLimits.telemetryCloseTimeoutMs;
    while (this.#queue.length > 0) {
      const batch = this.#next();
      const leftMs = Math.ceil(deadlineMs - performance.now());
      const delivery: Delivery =
        leftMs > 0 ? await this.#attempt(batch, leftMs) : { outcome: 'refused', reason: 'the gateway ends' };
      this.#settle(batch, delivery);
      this.#remove(batch);
      if (delivery.outcome === 'taken') continue;
      this.#drop(this.#queue.length);
      this.#queue = [];
      this.#bytes = 0;
    }
  }
}
