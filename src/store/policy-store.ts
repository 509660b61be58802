// Policies that operators publish: numbered versions of each by its name, and what gateways made of them.

/** A file of a policy, as it was published. Its name is told in places, and opens nothing. */
export interface PolicyText {
  readonly name: string;
  readonly text: string;
}

/** Claims that a session must have; a value may have `*`. */
export type PolicyBinding = Readonly<Record<string, string | number | boolean>>;

/** All times are milliseconds since the epoch. */
export interface NewPolicyVersion {
  readonly policy: string;
  /** None: it is withdrawn, and binds nobody from then on. */
  readonly files: readonly PolicyText[];
  /** What the audit calls it. */
  readonly version: string;
  /** Absent: every session. */
  readonly binding?: PolicyBinding;
  readonly publishedMs: number;
  readonly publishedBy: string;
  readonly note?: string;
  /** It is that earlier one again. */
  readonly backTo?: number;
}

export interface PolicyVersion extends Omit<NewPolicyVersion, 'files'> {
  /** Counts from 1 for each policy, without gaps. */
  readonly number: number;
  /** Of the files; the same files have the same. */
  readonly hash: string;
  readonly isWithdrawn: boolean;
  /** A column that holds what no program writes. Nobody takes that version, and the others go on. */
  readonly damaged?: 'binding' | 'back_to';
}

export interface PublishBounds {
  readonly policiesMax: number;
  /** Of one policy; beyond it the oldest goes. */
  readonly policyVersionsMax: number;
}

export type PublishOutcome =
  | { readonly kind: 'published'; readonly version: PolicyVersion }
  /** Somebody published since the publisher looked. */
  | { readonly kind: 'changed'; readonly published: PolicyVersion | undefined }
  | { readonly kind: 'too_many_policies' };

/** What one gateway made of a version. */
export interface PolicyOutcome {
  readonly policy: string;
  readonly number: number;
  readonly gatewayId: string;
  readonly state: 'taken' | 'refused';
  /** Why it was refused. */
  readonly reason?: string;
  readonly atMs: number;
}

export interface PolicyHistoryQuery {
  readonly policy?: string;
  /** Of this policy, those with a smaller number. */
  readonly before?: number;
  readonly limit: number;
}

export interface PolicyStore {
  /** Publishes a version, all or nothing, if the one that the publisher saw is still the published one; 0: there was none. */
  publish(version: NewPolicyVersion, seen: number, bounds: PublishBounds): Promise<PublishOutcome>;
  /** The published version of every policy, withdrawn ones too, by their names. */
  published(): Promise<readonly PolicyVersion[]>;
  find(policy: string, number: number): Promise<PolicyVersion | undefined>;
  /** Newest first. */
  history(query: PolicyHistoryQuery): Promise<readonly PolicyVersion[]>;
  /** The files of a hash, in their order. */
  files(hash: string): Promise<readonly PolicyText[] | undefined>;
  /** Replaces what the same gateway said of the same version. */
  note(outcome: PolicyOutcome, bounds: { readonly outcomesMax: number }): Promise<void>;
  /** Of one version, the newest first. */
  outcomes(policy: string, number: number): Promise<readonly PolicyOutcome[]>;
  /** Keeps what a version in the audit stands for, as JSON. Beyond `keptMax` that which was seen longest ago goes. */
  keep(kept: KeptPolicy, bounds: { readonly keptMax: number }): Promise<void>;
  kept(version: string): Promise<KeptPolicy | undefined>;
}

/** The policy that decided under a version of the audit. */
export interface KeptPolicy {
  readonly version: string;
  readonly content: string;
  readonly seenMs: number;
}
