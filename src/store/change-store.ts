// How what processes do to a store is numbered, so that each can tell how much of it it has taken.

export interface ChangeStore {
  /**
   * The number of the newest change: of an ending of a session, of a decision about access, of a publication of a policy. Numbers are in
   * the order of the commits: who sees one sees all that came before it.
   */
  newest(): Promise<number>;
}
