// What sessions have taken of budgets that rules give them. Gateways borrow in blocks and spend a block in memory.

/** Whose call it is. */
export interface BudgetOwner {
  readonly sessionId: string;
  readonly principalId: string;
}

/** One budget of one session. */
export interface BudgetName {
  readonly sessionId: string;
  readonly budget: string;
}

/** Where something is counted. `principal`: in what all sessions of the principal took, as long as the store knows them. */
export interface BudgetAccount {
  readonly of: 'session' | 'principal';
  readonly budget: string;
}

/** What is to be set aside in one account. */
export interface BudgetShare extends BudgetAccount {
  readonly amount: number;
  readonly max: number;
}

export type ReserveOutcome =
  | { readonly kind: 'reserved' }
  /** `share`: the number of the first one that does not fit; `left`: what fits. */
  | { readonly kind: 'short'; readonly share: number; readonly left: number }
  /** The session does not live, or has no room for one more budget. */
  | { readonly kind: 'refused' };

/**
 * What is granted counts as spent from then on: a block that is out when its gateway is killed is lost, never granted twice,
 * for nobody else knows how much of it was spent. For the same reason no call is repeated whose outcome is unknown.
 */
export interface BudgetStore {
  /**
   * Takes up to `amount`, as far as what was taken stays within `max`, and gives how much that was: 0 also for a session that does
   * not live, and for one more budget than `budgetsPerSessionMax`. All amounts are whole numbers.
   */
  borrow(
    name: BudgetName,
    amount: number,
    bounds: { readonly max: number; readonly budgetsPerSessionMax: number },
  ): Promise<number>;
  /** What the session has taken of each of its budgets, by their names; what is borrowed counts. */
  takenBy(sessionId: string): Promise<ReadonlyMap<string, number>>;
  /** What all sessions of a principal have taken of some budgets; one of which nothing was taken can be missing. */
  takenByPrincipal(principalId: string, budgets: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Gives back what was borrowed and not spent; never more than was taken. */
  giveBack(name: BudgetName, amount: number): Promise<void>;
  /**
   * Sets aside all shares or none, whoever else asks at the same time, of one session of a principal. What is set aside counts as spent until it is
   * settled.
   */
  reserve(
    owner: BudgetOwner,
    shares: readonly BudgetShare[],
    bounds: { readonly budgetsPerSessionMax: number },
  ): Promise<ReserveOutcome>;
  /**
   * Says how much more than was set aside was spent in each account, or with a negative number how much less: whatever the bound is, and
   * whether or not the session lives.
   */
  settle(
    owner: BudgetOwner,
    changes: readonly (BudgetAccount & { readonly amount: number })[],
  ): Promise<void>;
}
