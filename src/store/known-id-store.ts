// Ids that sessions were told, by digests of them, so that a session that goes on at another gateway may go on using them.

/** Bounds of one session. */
export interface KnownIdBounds {
  readonly nowMs: number;
  /** Beyond so many, those that were told longest ago are gone. */
  readonly max: number;
}

export interface KnownIdStore {
  /** Keeps them for a session that lives. What was known is told anew. */
  learn(sessionId: string, digests: readonly string[], bounds: KnownIdBounds): Promise<void>;
  /** All that the session was told, those that were told longest ago first. */
  toldTo(sessionId: string): Promise<readonly string[]>;
  forget(sessionId: string): Promise<void>;
}
