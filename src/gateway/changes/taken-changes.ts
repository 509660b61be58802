// Up to which change of the store this process has taken everything: sessions ended, grants and policies in force.

import type { ProxyError } from '../../protocol/error.ts';
import type { ChangePlace } from '../../store/change-store.ts';
import type { Store } from '../../store/store.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import type { StoreHistory } from './store-history.ts';

/** A change holds on every gateway within 2 s; one look is one small query. */
const lookIntervalMs = 500;

export interface TakenChangesOptions {
  readonly store: Pick<Store, 'onChange'>;
  readonly history: Pick<StoreHistory, 'look' | 'name' | 'waysBack'>;
  /** Each follows one kind of change: whether all of it that was there before the call is taken. */
  readonly followers: readonly (() => Promise<boolean>)[];
  /** How often something else than the store said what followers asked: that may not be the newest. */
  readonly standIns?: () => number;
  /** In a start without the store another gateway has handed over what followers have read, and up to which change. */
  readonly handed?: ChangePlace | undefined;
  /** Those of them that follow what is in force. */
  readonly handFollowers?: readonly (() => Promise<boolean>)[];
  readonly onFault: (error: ProxyError) => void;
}

/** Looks until it is closed. */
export class TakenChanges implements AsyncDisposable {
  readonly #options: TakenChangesOptions;
  readonly #listeners = new Set<() => void>();
  readonly #repeated: RepeatedLook;
  readonly #unlisten: () => void;
  #number = 0;
  /** How often the store had gone back when that was taken. */
  #waysBack = 0;

  private constructor(options: TakenChangesOptions) {
    this.#options = options;
    const { store, onFault } = options;
    this.#repeated = new RepeatedLook({ look: () => this.#look(), intervalMs: lookIntervalMs, onFault });
    this.#unlisten = store.onChange(() => this.#repeated.soon());
  }

  static async open(options: TakenChangesOptions): Promise<TakenChanges> {
    const changes = new TakenChanges(options);
    const { handed } = options;
    if (handed === undefined) await changes.#repeated.now();
    // The store may be back meanwhile, with more or less than that: only a look that everybody follows says how far.
    else {
      changes.#number = handed.number;
      changes.#repeated.soon();
    }
    changes.#repeated.start();
    return changes;
  }

  /** Of the newest change that is taken with all before it. */
  get number(): number {
    return this.#number;
  }

  /** Of which history the numbers are; undefined where that is not known, as until all have looked at a store that went back. */
  get history(): string | undefined {
    const { name, waysBack } = this.#options.history;
    // The number is of the history before it still.
    return waysBack === this.#waysBack ? name : undefined;
  }

  /**
   * Numbers of changes that hold here, by another way than the store. What lies between them and was not heard of is waited for. Those
   * of another history say nothing: there the same number is another change.
   */
  heard(numbers: readonly number[], history: string | undefined): void {
    if (history === undefined || history !== this.history) return;
    const before = this.#number;
    for (const number of numbers) if (number === this.#number + 1) this.#number = number;
    if (this.#number !== before) this.#tell();
  }

  /**
   * What is in force up to that change is here, by another way than the store, and its endings have been heard: who follows them takes the
   * rest.
   */
  async hand({ history, number }: ChangePlace): Promise<void> {
    const { handFollowers = [] } = this.#options;
    const isNews = (): boolean => history === this.history && number > this.#number;
    if (!isNews()) return;
    const taken = await Promise.all(handFollowers.map((follower) => follower()));
    if (!taken.every((isTaken) => isTaken) || !isNews()) return;
    this.#number = number;
    this.#tell();
  }

  /** Calls the listener when more is taken. */
  onTaken(listener: () => void): void {
    this.#listeners.add(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unlisten();
    await this.#repeated.close();
  }

  async #look(): Promise<void> {
    const { history, followers, standIns = () => 0 } = this.#options;
    // Before the followers look: what is committed meanwhile may be missed by one of them.
    const newest = await history.look();
    const before = this.#number;
    const { waysBack } = history;
    if (newest === before && waysBack === this.#waysBack) return;
    const stoodIn = standIns();
    const taken = await Promise.all(followers.map((follower) => follower()));
    // Whose look failed has told why; the next one tries again.
    if (!taken.every((isTaken) => isTaken) || standIns() !== stoodIn) return;
    // More was heard of by another way while they looked.
    if (waysBack === this.#waysBack && this.#number !== before && this.#number > newest) return;
    this.#number = newest;
    this.#waysBack = waysBack;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
