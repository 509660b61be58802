// Tokens that gateways keep for credentials: a row for each, sealed, and who asks for the next one. All times are by the clock of the store.

/** A row, with nothing of what is sealed in it. */
export interface KeptToken {
  readonly id: string;
  /** It is of this session alone, and goes with it. */
  readonly sessionId: string | undefined;
  /** Each write makes it one more. */
  readonly version: number;
  readonly sealed: string;
  /** `refused`: its server does not take it, so nobody asks with it again. */
  readonly state: 'held' | 'refused';
  /** What the server said then (RFC 6749 §5.2). */
  readonly word: string | undefined;
  /** After so long its access token ends; undefined: it has no end that is known. */
  readonly lifetimeMs: number | undefined;
  /** So long ago it was written. */
  readonly ageMs: number;
  /** Who asks for the next one at this moment. */
  readonly claimedBy: string | undefined;
  /** How often somebody asked with this version, and wrote no response down. */
  readonly attempts: number;
}

export interface KeptWrite {
  readonly sealed: string;
  readonly lifetimeMs?: number | undefined;
}

export interface KeptSessionWrite extends KeptWrite {
  readonly sessionId: string;
  /** So many rows a session has at most. */
  readonly max: number;
}

export interface KeptClaim {
  /** The version that is asked with. */
  readonly version: number;
  readonly holderId: string;
  /** So long nobody else asks. */
  readonly claimMs: number;
}

export type KeptClaimOutcome =
  /**
   * `attempts`: how often somebody asked with this version, and no response was written down. `isLeft`: the last one of them ended without a word.
   */
  | { readonly kind: 'claimed'; readonly attempts: number; readonly isLeft: boolean }
  /** Somebody else asks. */
  | { readonly kind: 'taken' }
  /** It is another version, is refused, or is not there. */
  | { readonly kind: 'changed' };

/** The key that rows are sealed with, itself sealed by keys that are not in the store. */
export interface KeptKey {
  readonly version: number;
  readonly document: string;
}

export interface KeptTokenStore {
  read(id: string): Promise<KeptToken | undefined>;
  /** By their ids. */
  list(limit: number): Promise<readonly KeptToken[]>;
  /** Of a log-in, whatever was there before. Gives the version. */
  put(id: string, written: KeptWrite): Promise<number>;
  /**
   * A row that is of one session, under an id that none has. Beyond `max` rows of that session the one that ends soonest makes room, by its
   * `lifetimeMs`. False: none of them ends, and nothing was written.
   */
  putOfSession(id: string, written: KeptSessionWrite): Promise<boolean>;
  /** Before the server is asked, so that one asks at a time, and so that it is known if nobody wrote down what came of it. */
  claim(id: string, claim: KeptClaim): Promise<KeptClaimOutcome>;
  /** Nothing came of it. `isSent`: the server may have seen the question. */
  letGo(
    id: string,
    claim: Pick<KeptClaim, 'version' | 'holderId'> & { readonly isSent: boolean },
  ): Promise<void>;
  /** Before it is used. False if somebody else wrote meanwhile. */
  commit(id: string, written: KeptWrite & { readonly version: number }): Promise<boolean>;
  /** The server does not take that version. False if somebody else wrote meanwhile. */
  refuse(id: string, refused: { readonly version: number; readonly word: string }): Promise<boolean>;
  /** True for one call alone. */
  forget(id: string): Promise<boolean>;
  /** What was of that session alone. Gives how many. */
  forgetSession(sessionId: string): Promise<number>;
  /** What is of that session alone, by their ids. */
  ofSession(sessionId: string, limit: number): Promise<readonly KeptToken[]>;
  /** Sessions that do not live and have something here: those that ended while nobody could say so. */
  sessionsOver(limit: number): Promise<readonly string[]>;
  readKey(): Promise<KeptKey | undefined>;
  /** `version`: of the one that it takes the place of, 0 for the first. False if another one is there. */
  writeKey(document: string, version: number): Promise<boolean>;
}
