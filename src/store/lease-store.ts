// Leases that one session alone has of a keeper of secrets: a row for each, so that it is given back whatever becomes of the gateway that asked
// for it. All times are by the clock of the store.

/** What is known before it is asked for. */
export interface NewLease {
  readonly id: string;
  /** The session that began by a token: those that it made share what it has. */
  readonly sessionId: string;
  readonly principalId: string;
  /** The credential, by its name in the configuration. */
  readonly credential: string;
  /** The process that has it: its secret is nowhere else. */
  readonly holderId: string;
}

export interface LeaseBounds {
  readonly leasesPerSessionMax: number;
  readonly leasesPerPrincipalMax: number;
  readonly leasesMax: number;
}

export type AskLeaseOutcome =
  | { readonly kind: 'asked' }
  /** The session does not live. */
  | { readonly kind: 'over' }
  | { readonly kind: 'full'; readonly bound: keyof LeaseBounds };

/** What is known once it was given. */
export interface HeldLease {
  /** What it is given back by; nobody reads it without a key that is not in the store. */
  readonly sealed: string;
  /** After so long it ends by itself. */
  readonly lifetimeMs: number;
}

/** What one process gives back. */
export interface ClaimedLease extends NewLease {
  /** Undefined: it was asked for, and whether it was given is not known. */
  readonly sealed: string | undefined;
  /** How often it was to be given back before. */
  readonly attempts: number;
  /** It has ended by itself. */
  readonly isEnded: boolean;
}

export interface LeaseClaim {
  /** So long nobody else takes them. */
  readonly claimMs: number;
  readonly limit: number;
  /** The process that looks: it lives. */
  readonly holderId: string;
  /** A process that has said nothing for so long has none any more. One that has left has none at once. */
  readonly holderAwayMs: number;
  /** Whoever asked has a response after so long, or gets none. */
  readonly askedMs: number;
  /** One that should have ended so long ago was not prolonged. */
  readonly endedMs: number;
  /** The process cannot give these back. Others can, until they have ended. */
  readonly except: readonly string[];
}

export interface LeaseClaimed {
  readonly leases: readonly ClaimedLease[];
  /** Leases in the store that could not be given back until now. */
  readonly failing: number;
}

/** What an operator sees of a lease: nothing by which anybody gets in. */
export interface ShownLease {
  readonly credential: string;
  readonly state: 'asked' | 'held' | 'released';
  readonly askedMs: number;
  /** Undefined: nothing is written down of a response. */
  readonly endsMs: number | undefined;
  /** How often it was to be given back. */
  readonly attempts: number;
}

export interface LeaseStore {
  /** Before it is asked for. All or nothing. */
  ask(lease: NewLease, bounds: LeaseBounds): Promise<AskLeaseOutcome>;
  /** Before it is used, and again when it is prolonged. False if it is not there: it was given back, or is taken for lost. */
  hold(id: string, held: HeldLease): Promise<boolean>;
  /** Those of a session that began by a token, the oldest first, and at most so many. */
  ofSession(sessionId: string, limit: number): Promise<readonly ShownLease[]>;
  /** Nobody uses it any more: it is to be given back. */
  release(id: string): Promise<void>;
  /** It was given back, or never given. True for one call alone. */
  forget(id: string): Promise<boolean>;
  /**
   * Takes leases that are to be given back: those that were released, whose session or holder is gone, and those that have ended. None of them is taken by
   * another call before the claim is over.
   */
  claim(claim: LeaseClaim): Promise<LeaseClaimed>;
  /** It could not be given back: it is claimed again after so long. */
  postpone(id: string, forMs: number): Promise<void>;
}
