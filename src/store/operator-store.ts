// Tokens by which people and programs use the admin API.

/** What is known of a token. The token itself is kept nowhere: only its digest. All times are milliseconds since the epoch. */
export interface OperatorToken {
  readonly id: string;
  /** SHA-256 of the token, in hex. */
  readonly digest: string;
  /** Who uses it. */
  readonly name: string;
  readonly role: string;
  /** Only sessions with these claims are theirs; absent: all. */
  readonly sees?: Readonly<Record<string, string | number | boolean>>;
  readonly createdMs: number;
  readonly createdBy: string;
  readonly expiresMs: number;
  /** Of a session that began by log-in at an identity provider; absent: a token that somebody was given. */
  readonly logIn?: LogInRecord;
}

/** Who logged in, and by what they have a role. */
export interface LogInRecord {
  /** `iss` and `sub` together are the person. */
  readonly issuer: string;
  readonly subject: string;
  /** The group that gave the role. */
  readonly group: string;
  /** For people to read; they say nothing of who it is. */
  readonly name?: string;
  readonly email?: string;
}

export interface StoredOperatorToken extends OperatorToken {
  readonly usedMs?: number;
  readonly revokedMs?: number;
}

export interface OperatorStore {
  /** Stores a token. False if there are that many living ones already: of tokens that were given, or of sessions by log-in. */
  add(token: OperatorToken, bounds: { readonly operatorTokensMax: number }): Promise<boolean>;
  /** By its digest, whether it is good or not. */
  byDigest(digest: string): Promise<StoredOperatorToken | undefined>;
  find(id: string): Promise<StoredOperatorToken | undefined>;
  /** Newest first, those that are good at this time. */
  list(nowMs: number): Promise<readonly StoredOperatorToken[]>;
  /** False if it was revoked already, or is unknown. */
  revoke(id: string, nowMs: number): Promise<boolean>;
  /** Notes that it was used; exact to a minute. */
  used(id: string, nowMs: number): Promise<void>;
  /** Forgets those that were over before this time. Gives how many. */
  prune(beforeMs: number): Promise<number>;
}
