// One budget of one session at this gateway: a block that was borrowed from the store, spent in memory, and the next one after it.

import { ProxyError } from '../../protocol/error.ts';
import type { BudgetName, BudgetStore } from '../../store/budget-store.ts';

/** A budget that had nothing is not asked again for this long: its refusals are as cheap as others. */
const dryMs = 1_000;
/** A kill of the gateway loses at most this part of a budget. */
const blocksMin = 16;

export interface BorrowedBudgetOptions {
  readonly store: BudgetStore;
  readonly name: BudgetName;
  readonly max: number;
  /** The largest block. */
  readonly blockMax: number;
  readonly budgetsPerSessionMax: number;
  /** While the store is away one block more is spent, which it is told of when it is back. */
  readonly continuesAlone: boolean;
  /** Milliseconds that never go back. */
  readonly clock: () => number;
}

export class BorrowedBudget {
  readonly #options: BorrowedBudgetOptions;
  #left = 0;
  #asking: Promise<boolean> | undefined;
  #askAgainMs = Number.NEGATIVE_INFINITY;
  #isOver = false;
  /** Spent without the store, which does not know of it yet. */
  #owed = 0;

  constructor(options: BorrowedBudgetOptions) {
    this.#options = options;
  }

  /**
   * Takes all of `amount` or nothing; true if it is there, a promise where the store has to be asked. What is left of a budget that
   * had too little is given up: it is spent. Rejects with ProxyError store_unavailable.
   */
  take(amount: number): true | Promise<boolean> {
    if (this.#left < amount) return this.#takeLater(amount);
    this.#left -= amount;
    return true;
  }

  /** Of what was borrowed, what is not spent. */
  get unspent(): number {
    return Math.max(0, this.#left - this.#owed);
  }

  get name(): string {
    return this.#options.name.budget;
  }

  /** What was taken here a moment ago and not used. */
  putBack(amount: number): void {
    this.#left += amount;
    if (this.#isOver) void this.release().catch(() => undefined);
  }

  /** Takes nothing more, and gives back what is left of the block. */
  async release(): Promise<void> {
    this.#isOver = true;
    await this.#asking?.catch(() => undefined);
    const left = this.#left - this.#owed;
    this.#left = 0;
    this.#owed = 0;
    const { store, name, max, budgetsPerSessionMax } = this.#options;
    // Not repeated if it fails: the store may have taken it already.
    if (left > 0) await store.giveBack(name, left);
    else if (left < 0) await store.borrow(name, -left, { max, budgetsPerSessionMax });
  }

  async #takeLater(amount: number): Promise<boolean> {
    while (this.#left < amount) {
      // One question at a time: whoever waits for it looks again.
      this.#asking ??= this.#ask(amount - this.#left).finally(() => {
        this.#asking = undefined;
      });
      if (!(await this.#asking)) {
        if (!this.#isOver) this.#left = 0;
        return false;
      }
    }
    if (this.#isOver) return false;
    this.#left -= amount;
    return true;
  }

  async #ask(missing: number): Promise<boolean> {
    const { max, blockMax, clock } = this.#options;
    if (this.#isOver || clock() < this.#askAgainMs) return false;
    const block = Math.min(blockMax, Math.ceil(max / blocksMin));
    const granted = await this.#borrow(block, Math.max(block, missing));
    this.#left += granted;
    if (granted === 0) this.#askAgainMs = clock() + dryMs;
    return granted > 0;
  }

  async #borrow(block: number, amount: number): Promise<number> {
    const { store, name, max, budgetsPerSessionMax, continuesAlone } = this.#options;
    try {
      const granted = await store.borrow(name, amount + this.#owed, { max, budgetsPerSessionMax });
      const paid = Math.min(this.#owed, granted);
      this.#owed -= paid;
      return granted - paid;
    } catch (error) {
      const isAway = error instanceof ProxyError && error.code === 'store_unavailable';
      // A call whose outcome is unknown is not repeated, as ever: what it took is lost.
      if (!isAway || !continuesAlone) throw error;
      if (this.#owed > 0) return 0;
      this.#owed = block;
      return block;
    }
  }
}
