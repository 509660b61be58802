// Requests for access that workloads left, and what operators made of them.

import type { ListPlace } from './list-place.ts';

/** `pending` until somebody decides; `ended` when its time was over, decided or not. */
export type AccessState = 'pending' | 'granted' | 'denied' | 'revoked' | 'ended';

/** `exact`: the path that was asked for; `path`: it and what is below it; `host`: every path. */
export type AccessScope = 'host' | 'path' | 'exact';

/** What a workload asked for. All times are milliseconds since the epoch. */
export interface NewAccessRequest {
  readonly id: string;
  readonly sessionId: string;
  readonly principalId: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** Absent: every method. */
  readonly method?: string;
  /** Canonical, without a query. Absent: every path. */
  readonly path?: string;
  /** The workload's own words. */
  readonly reason: string;
  /** Of the denial that led to it, as the workload says. */
  readonly traceId?: string;
  readonly createdMs: number;
  /** Nobody decides later than this. */
  readonly pendingUntilMs: number;
}

/** How far a grant goes and until when. */
export interface AccessTerms {
  readonly scope: AccessScope;
  /** One session, or every session of the same principal. */
  readonly subject: 'session' | 'principal';
  /** Only pushes to the repository that was asked for which change these refs: patterns, as a rule of the policy has them. */
  readonly refs?: readonly string[];
  readonly endsMs: number;
}

export interface AccessRecord extends NewAccessRequest {
  readonly state: AccessState;
  readonly decidedMs?: number;
  /** The operator's words for the workload, or why it ended. */
  readonly note?: string;
  /** Set once it was granted. */
  readonly terms?: AccessTerms;
}

export type FileOutcome =
  | { readonly kind: 'filed' }
  /** The session asked for the same already, and that is pending or granted. */
  | { readonly kind: 'already'; readonly record: AccessRecord }
  | { readonly kind: 'full'; readonly bound: keyof AccessBounds };

export interface AccessBounds {
  readonly accessPendingPerSessionMax: number;
  readonly accessRequestsPerSessionMax: number;
  readonly accessPendingPerPrincipalMax: number;
  readonly accessRequestsPerPrincipalMax: number;
  /** Beyond it a request makes room by the oldest decided one of the principal that has most. */
  readonly accessRequestsMax: number;
}

export interface AccessQuery {
  readonly state?: AccessState;
  readonly sessionId?: string;
  /** Those that come behind it in the list: older, or as old with a smaller id. */
  readonly before?: ListPlace;
  readonly limit: number;
}

export interface AccessStore {
  /** Leaves a request, all or nothing. */
  file(request: NewAccessRequest, bounds: AccessBounds): Promise<FileOutcome>;
  find(id: string): Promise<AccessRecord | undefined>;
  /** Newest first. */
  list(query: AccessQuery): Promise<readonly AccessRecord[]>;
  /** Grants a request that is pending, denied or granted already. False if it is none of these. */
  grant(id: string, terms: AccessTerms, decision: AccessDecision): Promise<boolean>;
  /** Denies a pending request. False if there is none of that id. */
  deny(id: string, decision: AccessDecision): Promise<boolean>;
  /** Takes a grant back. False if there is none of that id. */
  revoke(id: string, decision: AccessDecision): Promise<boolean>;
  /** Grants that hold at this time; those of a session only while it lives. */
  inForce(nowMs: number): Promise<readonly AccessRecord[]>;
  /**
   * Ends grants and requests whose time or session is over, at most `limit` (`pruneBatch`) in one call, and gives those that this
   * very call ended, as they were.
   */
  expire(nowMs: number, limit?: number): Promise<readonly AccessRecord[]>;
  /** Forgets requests from before this time that are neither pending nor granted. Gives how many. */
  prune(beforeMs: number): Promise<number>;
}

export interface AccessDecision {
  readonly nowMs: number;
  readonly note?: string;
}
