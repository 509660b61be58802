// A store that was away when its program started: it is opened by the first question that finds it, and until then each other one is told
// that it is away.

import { asProxyError, type ProxyError } from '../protocol/error.ts';
import type { ChainSigner } from './chain/chain-statements.ts';
import { storeIsAway } from './store-outage.ts';
import type { ChangeListener, Store } from './store.ts';

export interface LateStoreOptions {
  /** Opens it as a program that starts does. */
  readonly open: () => Promise<Store>;
  /** Told of each other reason for which it cannot be opened. */
  readonly onRefused: (error: ProxyError) => void;
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
      budgets: part(() => this.#opened?.budgets),
      operators: part(() => this.#opened?.operators),
      gateways: part(() => this.#opened?.gateways),
      identity: part(() => this.#opened?.identity),
      policies: part(() => this.#opened?.policies),
      changes: part(() => this.#opened?.changes),
      acts: part(() => this.#opened?.acts),
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
      if (this.#isClosed) {
        await store.close();
        throw storeIsAway();
      }
      if (this.#signer !== undefined) await store.audit.chain.begin(this.#signer);
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
    await this.#opening?.catch(() => undefined);
    await this.#opened?.close();
  }
}

/** Each method asks the part that is there by then; `own` are members that do not. */
function part<Part extends object>(of: () => Part | undefined, own: Partial<Part> = {}): Part {
  const target = new Proxy(own, {
    get: (given, name) => {
      if (name in given) return Reflect.get(given, name);
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
