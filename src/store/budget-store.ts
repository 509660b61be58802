// What sessions have taken of budgets that rules give them. Gateways borrow in blocks and spend a block in memory.

/** One budget of one session. */
export interface BudgetName {
  readonly sessionId: string;
  readonly budget: string;
}

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
  /** Gives back what was borrowed and not spent; never more than was taken. */
  giveBack(name: BudgetName, amount: number): Promise<void>;
}
