// `sign` of a rule, compiled: which commits and tags the gateway signs with its key, by what they say of themselves. None of them names a
// repository.

import type { GitIdentity } from '../understand/git-identity.ts';
import type { GitObject } from '../understand/git-object.ts';

export type SignedKind = GitObject['kind'];

/** Who may have made it: both texts with `*` for anything. */
export type IdentityPattern = GitIdentity;

/** Plain data. */
export interface SignCondition {
  readonly objects: readonly SignedKind[];
  /** Undefined: anybody, in a rule that denies. */
  readonly committer: readonly IdentityPattern[] | undefined;
  /** The same, and in a rule that allows: as the committer. */
  readonly author: readonly IdentityPattern[] | undefined;
  /** Names of tags; undefined: all. */
  readonly tags: readonly string[] | undefined;
  /** git signs without being asked to. */
  readonly isAutomatic: boolean;
}

/** What is told to an agent of the rules by which its session has things signed. */
export interface SessionSigning {
  /** Of the first of these rules. */
  readonly credential: string;
  readonly objects: readonly SignedKind[];
  /** Those that git signs without being asked to. */
  readonly automatic: readonly SignedKind[];
}
