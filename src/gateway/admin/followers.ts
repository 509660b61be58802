// Events as they are stored, for all who follow them: one look at the store for all, and a ring of the newest in memory.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AuditEvent } from '../../api/audit-event.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { AuditStore } from '../../store/store.ts';

const lookIntervalMs = 250;
const batch = 1000;

export interface FollowersOptions {
  readonly audit: AuditStore;
  readonly onFault: (error: ProxyError) => void;
}

/** Looks at the store only while somebody follows. */
export class Followers implements AsyncDisposable {
  readonly #options: FollowersOptions;
  /** The newest events in the order of storing. */
  #ring: AuditEvent[] = [];
  /** Of the newest event that was seen; undefined where the store had none. */
  #lastId: string | undefined;
  #look: RepeatedLook | undefined;
  #starting: Promise<void> | undefined;
  /** How many looks have found something: who has found nothing waits for the next one of these. */
  #found = 0;
  readonly #wakes = new Set<() => void>();
  #count = 0;
  #isClosed = false;

  constructor(options: FollowersOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  /** One more who follows, until it is disposed. @throws ProxyError limit_exceeded */
  async join(): Promise<Disposable> {
    const { adminFollowersMax: max } = defaultLimits;
    if (this.#count >= max)
      throw new ProxyError('limit_exceeded', `${max} follow events already (adminFollowersMax)`, {
        limit: 'adminFollowersMax',
        retryAfterSeconds: 5,
      });
    this.#count += 1;
    let isOver = false;
    const leave = (): void => {
      if (isOver) return;
      isOver = true;
      this.#count -= 1;
      if (this.#count === 0) this.#stop();
    };
    try {
      await (this.#starting ??= this.#start());
    } catch (error) {
      this.#starting = undefined;
      leave();
      throw error;
    }
    return { [Symbol.dispose]: leave };
  }

  /** Of the newest event so far: who begins here gets what comes from now on. */
  get newestId(): string | undefined {
    return this.#lastId;
  }

  /** Looks so far that found something; `more` takes it. */
  get found(): number {
    return this.#found;
  }

  /** Events behind that one, the oldest first; none if there are none yet. Undefined: from the first of all. */
  async after(id: string | undefined): Promise<readonly AuditEvent[]> {
    if (id === this.#lastId) return [];
    const at = this.#ring.findLastIndex((event) => event.id === id);
    if (at >= 0) return this.#ring.slice(at + 1, at + 1 + batch);
    return await this.#options.audit.query({ limit: batch, ...(id === undefined ? {} : { sinceId: id }) });
  }

  /** Resolves when a look has found something since `found` was that, or when the signal aborts. */
  async more(found: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || found !== this.#found) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#wakes.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#wakes.add(done);
      signal.addEventListener('abort', done);
    });
  }

  async #start(): Promise<void> {
    const { audit, onFault } = this.#options;
    this.#lastId = (await audit.query({ limit: 1, order: 'newest' })).at(0)?.id;
    if (this.#isClosed) return;
    this.#look = new RepeatedLook({
      look: (signal) => this.#take(signal),
      intervalMs: lookIntervalMs,
      onFault,
    });
    this.#look.start();
  }

  #stop(): void {
    const look = this.#look;
    this.#look = undefined;
    this.#starting = undefined;
    this.#ring = [];
    void look?.close();
  }

  async #take(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const events = await this.#options.audit.query({
        limit: batch,
        ...(this.#lastId === undefined ? {} : { sinceId: this.#lastId }),
      });
      const last = events.at(-1);
      if (last === undefined || signal.aborted) return;
      this.#lastId = last.id;
      this.#ring = [...this.#ring, ...events].slice(-defaultLimits.adminFollowedEventsMax);
      this.#found += 1;
      for (const wake of this.#wakes) wake();
      if (events.length < batch) return;
      await nextTurn();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const look = this.#look;
    this.#look = undefined;
    for (const wake of this.#wakes) wake();
    await look?.close();
  }
}
