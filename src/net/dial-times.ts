// What a dial took, for the audit.

/** When a step of a dial was over, by `performance.now()`. */
export interface DialTimes {
  /** Absent behind a proxy, which resolves. */
  readonly resolvedMs?: number;
  readonly dialledMs: number;
  readonly securedMs?: number;
}
