// Whether a store that is another process is there. What asks it while it is away is told so at once, and one question after the other
// finds out when it is back.

import { asProxyError, ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import type { Store } from './store.ts';

/** The longest that a timer takes; one beyond it would end after a millisecond. */
const timerMsMax = 0x7fff_ffff;

export interface StoreOutageOptions {
  /** Asks the store something small; rejects while it is away. */
  readonly probe: () => Promise<unknown>;
  /** How long what is known may be acted upon. */
  readonly outageMs: number;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
  /** Milliseconds that never go back. */
  readonly ticks?: () => number;
  /** Told once, with what the store or the way to it said, and how much of `outageMs` is left. */
  readonly onBegin?: (why: string, leftMs: number) => void;
  readonly onEnd?: (awayMs: number) => void;
  /** Told once when it is away for too long. */
  readonly onPast?: () => void;
  /** What a listener threw; the others are told all the same. */
  readonly onFault?: (error: ProxyError) => void;
  /** It is away from the beginning. */
  readonly begin?: { readonly awayMs: number; readonly why: string };
}

/** What others ask of it. */
export interface StoreAbsence {
  /** Since when nothing was heard of it, in milliseconds since the epoch; undefined while it is there. */
  readonly sinceMs: number | undefined;
  /** Until when what is known may be acted upon, while it is away. */
  readonly untilMs: number | undefined;
  /** It is away for so long that nothing may be served any more. */
  readonly isPast: boolean;
}

export class StoreOutage implements StoreAbsence, AsyncDisposable {
  readonly #options: StoreOutageOptions;
  readonly #ticks: () => number;
  readonly #clock: () => number;
  /** When a question began to which it had a response. */
  #seenMs: number;
  #isAway = false;
  #isToldPast = false;
  readonly #listeners = new Set<() => void>();
  /** Questions that have no response yet. */
  readonly #waiting = new Set<() => void>();
  #asking: Promise<boolean> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pastTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** It was there a moment ago, unless `begin` says since when it is not. */
  constructor(options: StoreOutageOptions) {
    const { begin } = options;
    this.#options = options;
    this.#ticks = options.ticks ?? (() => performance.now());
    this.#clock = options.clock ?? Date.now;
    this.#seenMs = this.#ticks() - (begin?.awayMs ?? 0);
    if (begin !== undefined) this.#begin(begin.why);
  }

  get sinceMs(): number | undefined {
    return this.#isAway ? this.#clock() - this.awayMs : undefined;
  }

  get untilMs(): number | undefined {
    return this.#isAway ? this.#clock() - this.awayMs + this.#options.outageMs : undefined;
  }

  get isPast(): boolean {
    return this.awayMs > this.#options.outageMs;
  }

  /** 0 while it is there. */
  get awayMs(): number {
    return this.#isAway ? this.#ticks() - this.#seenMs : 0;
  }

  /** While it is away: after each question without a response. */
  onStillAway(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** A question to the store, unless it is away. Throws what the question does, or ProxyError `store_unavailable` with `retryAfterSeconds`. */
  async ask<T>(question: () => Promise<T>): Promise<T> {
    if (this.#isAway) throw storeIsAway();
    const begunMs = this.#ticks();
    const given = Promise.withResolvers<T>();
    const giveUp = (): void => given.reject(storeIsAway());
    this.#waiting.add(giveUp);
    // A link that carries nothing any more is noticed before the deadline of a statement.
    const timer = setTimeout(() => void this.confirm(), defaultLimits.storeSlowMs);
    timer.unref();
    void (async () => question())().then(given.resolve, given.reject);
    try {
      const result = await given.promise;
      this.#saw(begunMs);
      return result;
    } catch (error) {
      const isUnavailable = error instanceof ProxyError && error.code === 'store_unavailable';
      if (isUnavailable && (await this.confirm())) throw storeIsAway(error);
      throw error;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(giveUp);
    }
  }

  /** Whether it is away, by asking it. */
  confirm(): Promise<boolean> {
    if (this.#isAway) return Promise.resolve(true);
    this.#asking ??= this.#probe().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#pastTimer);
    await this.#asking;
  }

  async #probe(): Promise<boolean> {
    const begunMs = this.#ticks();
    try {
      await inTime(this.#options.probe());
      this.#saw(begunMs);
      this.#end();
      return false;
    } catch (error) {
      this.#begin(asProxyError(error, 'store_unavailable').message);
      return true;
    }
  }

  #saw(begunMs: number): void {
    // Of a question from before it went away nothing follows.
    if (!this.#isAway) this.#seenMs = Math.max(this.#seenMs, begunMs);
  }

  #begin(why: string): void {
    if (this.#isClosed) return;
    if (!this.#isAway) {
      this.#isAway = true;
      const leftMs = Math.max(0, this.#options.outageMs - this.awayMs);
      this.#call(() => this.#options.onBegin?.(why, leftMs));
      for (const giveUp of this.#waiting) giveUp();
      // To the moment, however long the last question takes.
      this.#pastTimer = setTimeout(() => this.#tell(), Math.min(Math.ceil(leftMs) + 1, timerMsMax));
      this.#pastTimer.unref();
    }
    this.#tell();
    this.#timer = setTimeout(() => {
      this.#asking ??= this.#probe().finally(() => {
        this.#asking = undefined;
      });
    }, defaultLimits.storeProbeIntervalMs);
    this.#timer.unref();
  }

  #tell(): void {
    if (!this.#isAway) return;
    if (this.isPast && !this.#isToldPast) this.#call(() => this.#options.onPast?.());
    this.#isToldPast = this.isPast;
    for (const listener of this.#listeners) this.#call(listener);
  }

  #end(): void {
    if (!this.#isAway) return;
    const { awayMs } = this;
    this.#isAway = false;
    this.#isToldPast = false;
    clearTimeout(this.#pastTimer);
    this.#seenMs = this.#ticks();
    this.#call(() => this.#options.onEnd?.(awayMs));
  }

  /** A fault of whoever is told changes nothing of what is known, and keeps nobody else from being told. */
  #call(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.#options.onFault?.(asProxyError(error));
    }
  }
}

async function inTime(probe: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new ProxyError('store_unavailable', 'It did not respond in time.'));
  }, defaultLimits.storeProbeTimeoutMs);
  try {
    await Promise.race([probe, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The store, each question to which goes through `ask`. */
export function askedStore(store: Store, outage: StoreOutage): Store {
  const ask = outage.ask.bind(outage);
  return {
    sessions: asked(store.sessions, ask),
    presence: asked(store.presence, ask),
    tokens: asked(store.tokens, ask),
    proofs: asked(store.proofs, ask),
    access: asked(store.access, ask),
    questions: asked(store.questions, ask),
    budgets: asked(store.budgets, ask),
    knownIds: asked(store.knownIds, ask),
    firstSeen: asked(store.firstSeen, ask),
    treeHeads: asked(store.treeHeads, ask),
    leases: asked(store.leases, ask),
    keptTokens: asked(store.keptTokens, ask),
    operators: asked(store.operators, ask),
    gateways: asked(store.gateways, ask),
    identity: asked(store.identity, ask),
    policies: asked(store.policies, ask),
    changes: asked(store.changes, ask),
    audit: asked(store.audit, ask),
    uses: asked(store.uses, ask),
    acts: asked(store.acts, ask),
    ...(store.movedTo === undefined ? {} : { movedTo: store.movedTo }),
    onChange: (listener) => store.onChange(listener),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

type Ask = StoreOutage['ask'];

/** Every method of a part of the store gives a promise, as its contract says; a part of a part is one too. */
function asked<Part extends object>(part: Part, ask: Ask): Part {
  return new Proxy(part, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value === 'function')
        return (...given: unknown[]) => ask(() => Promise.resolve(Reflect.apply(value, target, given)));
      return typeof value === 'object' && value !== null ? asked(value, ask) : value;
    },
  });
}

/** What who asks it is told. */
export function storeIsAway(cause?: unknown): ProxyError {
  return new ProxyError('store_unavailable', 'The store of the gateway is away; try again later.', {
    cause,
    retryAfterSeconds: defaultLimits.storeRetryAfterSeconds,
  });
}
