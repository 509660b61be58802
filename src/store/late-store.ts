// A store that was away when its program started: it is opened by the first question that finds it, and until then each other one is told
// that it is away.

import { asProxyError, type ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import type { ChainSigner } from './chain/chain-statements.ts';
import { storeIsAway } from './store-outage.ts';
import type { ChangeListener, Store } from './store.ts';

export interface LateStoreOptions {
  /** Opens it as a program that starts does. */
  readonly open: () => Promise<Store>;
  /** Told of each other reason for which it cannot be opened. */
  readonly onRefused: (error: ProxyError) => void;
  /** So long an opening is waited for at the end; one that migrates a store takes minutes, and closes it then. */
  readonly closeMs?: number;
}

export class LateStore {
  readonly #options: LateStoreOptions;
  readonly #listeners = new Set<ChangeListener>();
  #opened: Store | undefined;
  #opening: Promise<Store> | undefined;
  #signer: ChainSigner | undefined;
  #refusal = '';
  #isClosed = false;

  constructor(options: LateStoreOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  /** Its parts have what an engine for several gateways has. */
  store(): Store {
    return {
      sessions: part(() => this.#opened?.sessions),
      presence: part(() => this.#opened?.presence),
      tokens: part(() => this.#opened?.tokens),
      proofs: part(() => this.#opened?.proofs),
      access: part(() => this.#opened?.access),
      questions: part(() => this.#opened?.questions),
      budgets: part(() => this.#opened?.budgets),
      knownIds: part(() => this.#opened?.knownIds),
      firstSeen: part(() => this.#opened?.firstSeen),
      treeHeads: part(() => this.#opened?.treeHeads),
      leases: part(() => this.#opened?.leases),
      keptTokens: part(() => this.#opened?.keptTokens),
      operators: part(() => this.#opened?.operators),
      gateways: part(() => this.#opened?.gateways),
      identity: part(() => this.#opened?.identity),
      policies: part(() => this.#opened?.policies),
      changes: part(() => this.#opened?.changes),
      acts: part(() => this.#opened?.acts),
      uses: part(() => this.#opened?.uses),
      audit: part(() => this.#opened?.audit, {
        delivery: part(() => this.#opened?.audit.delivery),
        chain: part(() => this.#opened?.audit.chain),
      }),
      probe: () => this.#probe(),
      onChange: (listener) => this.#listen(listener),
      close: () => this.#close(),
      [Symbol.asyncDispose]: () => this.#close(),
    };
  }

  async #probe(): Promise<void> {
    if (this.#opened === undefined) await this.#open();
    else await this.#opened.probe?.();
  }

  /** One at a time: who gives up waiting leaves it to the next one who asks. */
  #open(): Promise<Store> {
    this.#opening ??= this.#openOnce().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #openOnce(): Promise<Store> {
    const { open, onRefused } = this.#options;
    try {
      const store = await open();
      if (this.#isClosed) return await closed(store);
      if (this.#signer !== undefined) await store.audit.chain.begin(this.#signer);
      // Nobody may have waited for that.
      if (this.#isClosed) return await closed(store);
      this.#opened = store;
      store.onChange((isUncertain) => this.#tell(isUncertain));
      // Nothing of it has been read.
      this.#tell(true);
      return store;
    } catch (error) {
      const refusal = asProxyError(error, 'store_unavailable');
      // That it is still away is no news.
      const isNews = refusal.retryAfterSeconds === undefined && refusal.message !== this.#refusal;
      if (isNews) onRefused(refusal);
      if (refusal.retryAfterSeconds === undefined) this.#refusal = refusal.message;
      throw refusal;
    }
  }

  /** Its chain begins with the store. */
  async begin(signer: ChainSigner): Promise<void> {
    this.#signer = signer;
    await this.#opened?.audit.chain.begin(signer);
  }

  #listen(listener: ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(isUncertain: boolean): void {
    for (const listener of this.#listeners) listener(isUncertain);
  }

  async #close(): Promise<void> {
    this.#isClosed = true;
    const { closeMs = defaultLimits.storeConnectTimeoutMs } = this.#options;
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), closeMs);
    await Promise.race([this.#opening?.catch(() => undefined), late.promise]);
    clearTimeout(timer);
    await this.#opened?.close();
  }
}

async function closed(store: Store): Promise<never> {
  await store.close();
  throw storeIsAway();
}

/** Each method asks the part that is there by then; `own` are members that do not. */
function part<Part extends object>(of: () => Part | undefined, own: Partial<Part> = {}): Part {
  const target = new Proxy(own, {
    get: (given, name) => {
      if (name in given) return Reflect.get(given, name);
      // Whoever looks whether it is a promise, or how it is printed, asks the store nothing.
      if (typeof name === 'symbol' || name === 'then') return undefined;
      return async (...args: unknown[]) => {
        const found = of();
        if (found === undefined) throw storeIsAway();
        const method: unknown = Reflect.get(found, name, found);
        // Every member of a part of the store that is none of `own` is a method.
        return await Reflect.apply(method as (...all: unknown[]) => Promise<unknown>, found, args);
      };
    },
  });
  // Whatever is asked of it, it has.
  return target as Part;
}
