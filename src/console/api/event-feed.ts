// Follows the audit: the newest pages first, then what comes, and after a cut connection what was missed, by cursor.

import type { AuditEvent } from '../../api/audit-event.ts';
import { clockTime } from '../model/display.ts';
import { HeldEvents } from '../model/held-events.ts';
import { type AdminClient, ApiFault } from './admin-client.ts';
import { EventStream } from './event-stream.ts';

export type Connection =
  | { readonly state: 'opening' }
  | { readonly state: 'following' }
  /** So many are held for a reader that no more are taken until they go on. */
  | { readonly state: 'full' }
  | { readonly state: 'cut'; readonly sinceMs: number; readonly nextTryMs: number; readonly why: string };

const pageEvents = 1000;
/** How often the page is told of what came. */
const tellIntervalMs = 100;
const retryMs = [1000, 2000, 4000, 8000, 15_000] as const;
/** The API says that it lives each 15 s. */
const silenceMs = 40_000;
const waitingMax = 200_000;
const rateWindowMs = 5000;

export class EventFeed {
  readonly held = new HeldEvents();
  readonly #client: AdminClient;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<() => void>();
  #connection: Connection = { state: 'opening' };
  #version = 0;
  #isSearching = false;
  #tellTimer: ReturnType<typeof setTimeout> | undefined;
  #recent: { readonly atMs: number; readonly count: number }[] = [];
  #resume: (() => void) | undefined;

  constructor(client: AdminClient) {
    this.#client = client;
  }

  get connection(): Connection {
    return this.#connection;
  }

  get isSearching(): boolean {
    return this.#isSearching;
  }

  /** Changes with everything that can be seen of it. */
  readonly version = (): number => this.#version;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** How many came a second, of late; undefined while nothing is followed. */
  rate(nowMs: number): number | undefined {
    if (this.#connection.state !== 'following') return undefined;
    const recent = this.#recent.filter(({ atMs }) => nowMs - atMs < rateWindowMs);
    return recent.reduce((sum, { count }) => sum + count, 0) / (rateWindowMs / 1000);
  }

  close(): void {
    this.#stop.abort();
    clearTimeout(this.#tellTimer);
    this.#resume?.();
  }

  /** Somebody reads: nothing is dropped, and past a bound nothing more is taken. */
  read(isReading: boolean): void {
    this.held.isTrimming = !isReading;
    if (isReading) return;
    this.held.append([]);
    this.#resume?.();
  }

  /** Runs until it is closed. */
  async run(): Promise<void> {
    for (let failures = 0; !this.#isOver(); failures += 1) {
      try {
        if (this.held.newestId === undefined) await this.loadOlder();
        await this.#follow(() => (failures = 0));
      } catch (error) {
        if (this.#isOver()) return;
        if (this.held.newestId !== undefined && isGone(error)) {
          this.#beginAnew();
          // Once at once; an audit that forgets what it has just told is waited for as any fault is.
          if (failures === 0) continue;
        }
        const delayMs = retryMs[Math.min(failures, retryMs.length - 1)] ?? 1000;
        this.#cut(error, delayMs);
        await this.#wait(delayMs);
      }
    }
  }

  /** One page more of what was before. */
  async loadOlder(): Promise<void> {
    const { held } = this;
    if (this.#isSearching || !held.hasOlder || held.events.length >= waitingMax) return;
    this.#isSearching = true;
    this.#tell();
    const before = held.olderId;
    try {
      const query = { count: String(pageEvents), before };
      const { signal } = this.#stop;
      const { items, next } = await this.#client.get('exchanges', '/v1/exchanges', { query, signal });
      // What was let go meanwhile would leave a hole in front of what is held.
      if (held.olderId === before) held.prepend(items, next);
    } catch (error) {
      // Nothing is older than an event that the audit has forgotten.
      if (before === undefined || !isGone(error)) throw error;
      if (held.olderId === before) held.prepend([], undefined);
    } finally {
      this.#isSearching = false;
      this.#tell();
    }
  }

  // A method, so that nobody concludes from one look that it stays so.
  #isOver(): boolean {
    return this.#stop.signal.aborted;
  }

  async #follow(onEvents: () => void): Promise<void> {
    const gone = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, gone.signal]);
    const after = this.held.newestId;
    try {
      const body = await inTime(this.#client.stream('/v1/exchanges/follow', { query: { after }, signal }));
      const reader = body
        .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
        .getReader();
      // The first page was empty, and something may have come since.
      if (after === undefined) {
        this.held.restart();
        await this.loadOlder();
      }
      const seen = new Set(after === undefined ? this.held.events.map(({ id }) => id) : []);
      this.#opened();
      const stream = new EventStream();
      for (;;) {
        const { done, value } = await inTime(reader.read());
        if (done) throw new ApiFault('The gateway ended the stream.');
        const events = stream.push(value).map((data) => JSON.parse(data) as AuditEvent);
        if (events.length > 0) onEvents();
        this.#take(seen.size === 0 ? events : events.filter(({ id }) => !seen.has(id)));
        if (await this.#isFull(gone)) return;
      }
    } finally {
      gone.abort();
    }
  }

  /** Where it was cut, what was missed comes behind the note. */
  #opened(): void {
    const before = this.#connection;
    this.#connection = { state: 'following' };
    if (before.state === 'cut') {
      const [from, to] = [clockTime(before.sinceMs).time, clockTime(Date.now()).time];
      this.held.note(`Not connected from ${from} to ${to}. What came meanwhile follows`);
    }
    this.#tell();
  }

  /** The audit has forgotten the newest event that is held, so what came behind it cannot be told from what was lost. */
  #beginAnew(): void {
    this.held.restart();
    this.held.note('Not connected for longer than the audit keeps events. It begins anew here');
    this.#tell();
  }

  #take(events: readonly AuditEvent[]): void {
    if (events.length === 0) return;
    this.held.append(events);
    this.#recent = this.#recent.filter(({ atMs }) => Date.now() - atMs < rateWindowMs);
    this.#recent.push({ atMs: Date.now(), count: events.length });
    this.#tell();
  }

  /** Past the bound it waits for the reader, without a connection, and goes on by cursor. */
  async #isFull(gone: AbortController): Promise<boolean> {
    if (this.held.isTrimming || this.held.events.length < waitingMax) return false;
    gone.abort();
    this.#connection = { state: 'full' };
    this.#tell();
    await new Promise<void>((resolve) => (this.#resume = resolve));
    this.#resume = undefined;
    return true;
  }

  #cut(error: unknown, delayMs: number): void {
    const nowMs = Date.now();
    const sinceMs = this.#connection.state === 'cut' ? this.#connection.sinceMs : nowMs;
    const why = error instanceof ApiFault ? error.message : 'The stream of events broke off.';
    this.#connection = { state: 'cut', sinceMs, nextTryMs: nowMs + delayMs, why };
    this.#tell();
  }

  async #wait(ms: number): Promise<void> {
    const { signal } = this.#stop;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
    });
  }

  #tell(): void {
    this.#version += 1;
    this.#tellTimer ??= setTimeout(() => {
      this.#tellTimer = undefined;
      for (const listener of this.#listeners) listener();
    }, tellIntervalMs);
  }
}

/** Whether the API knows nothing of the event that a cursor names. */
function isGone(error: unknown): boolean {
  return error instanceof ApiFault && error.status === 404;
}

/** A stream that is silent for long is none. */
async function inTime<Value>(read: Promise<Value>): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new ApiFault('The stream of events fell silent.')), silenceMs);
  try {
    return await Promise.race([read, promise]);
  } finally {
    clearTimeout(timer);
  }
}
