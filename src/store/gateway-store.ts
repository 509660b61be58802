// What processes that serve agents say of themselves, and the keys that they share, sealed.

/** One process that serves agents. */
export interface GatewayNote {
  /** Names the process: 32 hexadecimal digits, never used again. */
  readonly incarnation: string;
  /** `host:port` at which other gateways reach it; undefined if they cannot. */
  readonly peerAddress: string | undefined;
  /** `left` is its last word. */
  readonly state: 'serving' | 'draining' | 'left';
  /** Up to which change of the store it has ended sessions. */
  readonly changeSeen: number;
  /** Names of the keys of its configuration that can open an identity in the store. Undefined: it has none, or is of a version that does not say. */
  readonly identityKeys: readonly string[] | undefined;
}

export interface GatewayPresence extends GatewayNote {
  /** Whether its lease lasts, by the clock of the store. */
  readonly isCurrent: boolean;
}

export interface GatewayStore {
  /** What it says now, which holds for as long as the lease unless it says it again. */
  note(gateway: GatewayNote, leaseMs: number): Promise<void>;
  /** Another one says for it that it lives, and how far it is: it may have lost the store alone. Nothing for one that is unknown or left. */
  vouch(gateway: Pick<GatewayNote, 'incarnation' | 'changeSeen'>, leaseMs: number): Promise<void>;
  find(incarnation: string): Promise<GatewayPresence | undefined>;
  /** Those whose lease lasts and who have not left, at most `limit`. */
  current(limit: number): Promise<readonly GatewayPresence[]>;
  /** Those whose lease is over, and those who have left, the latest first, at most `limit`, for as long as they are not forgotten. */
  away(limit: number): Promise<readonly GatewayPresence[]>;
  /** Forgets those whose lease was over for so long, at most `pruneBatch`. Gives how many. */
  prune(overForMs: number): Promise<number>;
}

/** Keys and authorities, which nobody reads without a key that is not in the store. */
export interface SealedIdentity {
  /** From 1 on; sealed with it. */
  readonly version: number;
  readonly sealed: string;
}

export interface IdentityStore {
  /** The version alone is one small question. */
  version(): Promise<number | undefined>;
  /** One that is longer than `sealedIdentityBytesMax` is cut behind it. */
  read(): Promise<SealedIdentity | undefined>;
  /**
   * Stores what follows: the one of version 1 where there is none, each other one where the version before it is stored. False if it is
   * not: somebody else was first.
   */
  write(identity: SealedIdentity): Promise<boolean>;
}
