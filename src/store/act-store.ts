// What operators did by logins of their own: it waits in the store until a gateway has it in its audit.

/** As the store recorded it, in the transaction of what was done. */
export interface OperatorAct {
  /** That of its event. */
  readonly id: string;
  readonly atMs: number;
  readonly action: string;
  readonly message: string;
  readonly sessionId?: string;
  readonly principal?: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** It cannot be read, and is told as what it is: the others that wait are not held up by it. */
  readonly isDamaged?: true;
}

export interface ActStore {
  /**
   * Acts that nobody has taken, or whose taker has not said for a minute that they are recorded; the oldest first, at most `limit`. They are
   * kept for this taker meanwhile.
   */
  take(taker: string, limit: number): Promise<readonly OperatorAct[]>;
  /** They are safe in the audit, and need not be told again. */
  recorded(ids: readonly string[]): Promise<void>;
}
