// How what processes do to a store is numbered, so that each can tell how much of it it has taken.

/** Where a store is. Of one that went back the number is lower, or the history another one. */
export interface ChangePlace {
  /** Another one when a standby took over or a copy was put back, as far as the engine can tell; empty where it cannot. */
  readonly history: string;
  /** Of the newest change. */
  readonly number: number;
}

export interface ChangeStore {
  /**
   * The number of the newest change: of an ending of a session, of a decision about access, of a publication of a policy. Numbers are in
   * the order of the commits: who sees one sees all that came before it. Throws ProxyError `store_unavailable` also for a store that is
   * marked, since it was opened, as one that is to be filled.
   */
  newest(): Promise<number>;
  /** The same, and of which history. */
  place(): Promise<ChangePlace>;
}
