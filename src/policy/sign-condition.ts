// `sign` of a rule, compiled: what the gateway signs with its key. Commits and tags by what they say of themselves, none of which names a
// repository; or log-ins at servers of SSH, or hashes for git, of clients that ask an agent of SSH.

import type { GitIdentity } from '../understand/git-identity.ts';
import type { GitObject } from '../understand/git-object.ts';
import type { AgentHash } from '../understand/ssh-agent-request.ts';

export type SignedKind = GitObject['kind'];

/** Who may have made it: both texts with `*` for anything. */
export type IdentityPattern = GitIdentity;

/** What an agent of SSH is asked to sign, and the credentials that have the key that it is asked for. */
export type AgentSignable = { readonly credentials: readonly string[] } & (
  | { readonly kind: 'log-in'; readonly user: string; readonly hostKey: string }
  | { readonly kind: 'hash'; readonly hash: AgentHash }
);

export type Signable = GitObject | AgentSignable;

/** Plain data. */
export type SignCondition = ObjectCondition | LogInCondition | HashCondition;

export interface ObjectCondition {
  readonly kind: 'objects';
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

/** Log-ins at one server, by an agent of SSH. */
export interface LogInCondition {
  readonly kind: 'log-in';
  /** What people call the server; nothing is decided by it. */
  readonly server: string;
  /** Type and base64; undefined: any, in a rule that denies. */
  readonly hostKeys: readonly string[] | undefined;
  /** The same. */
  readonly users: readonly string[] | undefined;
}

/** Hashes for git, by an agent of SSH: of what, nobody can see. */
export interface HashCondition {
  readonly kind: 'hashes';
}

/** What is told to an agent of the rules by which its session has things signed. */
export interface SessionSigning {
  /** Of the first of the rules for objects; undefined: there is none. */
  readonly credential: string | undefined;
  readonly objects: readonly SignedKind[];
  /** Those that git signs without being asked to. */
  readonly automatic: readonly SignedKind[];
  /** By the agent of SSH; absent: the session has none. */
  readonly agent?: AgentSigning;
}

export interface AgentSigning {
  readonly credentials: readonly string[];
  readonly servers: readonly { readonly server: string; readonly hostKey: string }[];
}
