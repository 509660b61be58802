// What outlives a gateway process, as small interfaces; engines are interchangeable (test/conformance/store.ts).

import type { ListPlace } from './list-place.ts';
import type { AuditEvent } from '../api/audit-event.ts';
import type { AuditFacts } from '../api/audit-payload.ts';
import type { Posture } from '../protocol/session-messages.ts';
import type { AuditPage, AuditPeriod, AuditQuery, AuditSearch, PeriodPage } from './audit-search.ts';
import type { AuditChain } from './chain/audit-chain.ts';
import type { ActStore } from './act-store.ts';
import type { AccessStore } from './access-store.ts';
import type { BudgetStore } from './budget-store.ts';
import type { ChangeStore } from './change-store.ts';
import type { FirstSeenStore } from './first-seen-store.ts';
import type { GatewayStore, IdentityStore } from './gateway-store.ts';
import type { KnownIdStore } from './known-id-store.ts';
import type { KeptTokenStore } from './kept-token-store.ts';
import type { LeaseStore } from './lease-store.ts';
import type { OperatorStore } from './operator-store.ts';
import type { QuestionStore } from './question-store.ts';
import type { PolicyStore } from './policy-store.ts';
import type { TreeHeadStore } from './tree-head-store.ts';
import type { UseStore } from './use-store.ts';
import type { UsedFacts } from './uses/shared-use.ts';

/** How many rows one call of a `prune` or an `expire` takes at the most: it holds up other writers, and a backlog must not outlast the deadline of a statement. */
export const pruneBatch = 1000;

/** `enrolled` until its token is consumed by the commit; `ended` and `revoked` are final. */
export type SessionState = 'enrolled' | 'committed' | 'ended' | 'revoked';

/** What is known of a session when it enrols. All times are milliseconds since the epoch. */
export interface NewSession {
  readonly id: string;
  /** Names the session token without being it: a digest of issuer and jti. */
  readonly tokenKey: string;
  /** Until when the token could be presented again; its consumption is remembered at least so long. */
  readonly tokenExpiresMs: number;
  readonly principalId: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly posture: Posture;
  /** RFC 7638 thumbprint of the key that signs the session's proofs. */
  readonly keyThumbprint: string;
  readonly agentVersion: string;
  readonly enrolledMs: number;
  readonly commitByMs: number;
  /** The longest that the session may live, renewed or not. */
  readonly endsMs: number;
  /** Of one that another session made: those above it, from the root, which began by a token, down to its parent. */
  readonly above?: readonly string[];
}

/** What is known of a session that another one makes. */
export interface NewChild {
  readonly id: string;
  readonly parentId: string;
  readonly policy: string;
  readonly keyThumbprint: string;
  readonly agentVersion: string;
  /** Whether its command has nothing of its parent's; a claim of the agent. */
  readonly isConfined: boolean;
  readonly nowMs: number;
  /** Cut to that of the parent. */
  readonly endsMs: number;
}

export interface SessionRecord extends NewSession {
  readonly state: SessionState;
  readonly committedMs?: number;
  readonly overMs?: number;
  /** Why it ended or was revoked. */
  readonly reason?: string;
}

export type EnrolOutcome =
  /** `superseded` are earlier uncommitted sessions of the same token, now revoked. */
  | { readonly kind: 'enrolled'; readonly superseded: readonly string[] }
  | { readonly kind: 'token_consumed'; readonly sessionId: string }
  /** A session of this token was ended on purpose before its commit: the token went with it. */
  | { readonly kind: 'token_revoked'; readonly sessionId: string }
  /** Who issued the token took it back before a session began by it. */
  | { readonly kind: 'token_withdrawn' }
  | { readonly kind: 'too_many_enrolments' };

export type CommitOutcome =
  | { readonly kind: 'committed' }
  | { readonly kind: 'already_committed' }
  | { readonly kind: 'token_consumed'; readonly sessionId: string }
  /** Not alive: unknown, ended, revoked, or past `commitByMs`. */
  | { readonly kind: 'over'; readonly session: SessionRecord | undefined };

/** What is left to a session that another one made. */
export interface NarrowedSession {
  readonly sessionId: string;
  /** Text of its policy. */
  readonly policy: string;
}

export interface NarrowBounds {
  /** Sessions that live at a time below one root. */
  readonly livingMax: number;
  /** Sessions that are still stored of it, living or not. */
  readonly storedMax: number;
  /** How long a chain may be, without its root. */
  readonly depthMax: number;
}

export type NarrowOutcome =
  /** Committed at once: it has no token. `endsMs` is at most that of its parent. */
  | { readonly kind: 'narrowed'; readonly session: SessionRecord }
  /** The parent is not committed, or does not live any more. */
  | { readonly kind: 'over' }
  | { readonly kind: 'too_many'; readonly bound: 'living' | 'stored' | 'depth' };

export type WithdrawOutcome =
  /** It starts nothing any more. `sessionId` had begun by it, was not committed, and was revoked with it; `isNew` if by this very call. */
  | { readonly kind: 'withdrawn'; readonly isNew: boolean; readonly sessionId?: string }
  | { readonly kind: 'token_consumed'; readonly sessionId: string };

export interface RestoreOutcome {
  /** Something was not as it had been. */
  readonly isChanged: boolean;
  /** Sessions that live by the token of this one, which was committed: somebody used the token once more. */
  readonly revoked: readonly string[];
}

export interface SessionEnding {
  readonly state: 'ended' | 'revoked';
  readonly reason: string;
}

export interface NumberedEnding extends SessionEnding {
  readonly sessionId: string;
  /** Numbers of endings are in the order of their commits; in an engine with several gateways they are those of the changes. */
  readonly sequence: number;
}

export interface SessionQuery {
  readonly living?: boolean;
  /** Those that come behind it in the list: older, or as old with a smaller id. */
  readonly before?: ListPlace;
  readonly limit: number;
}

/** Where a session that is over stands among the others; with an empty id before all of that time. */
export interface EndedPlace {
  readonly overMs: number;
  readonly sessionId: string;
}

export interface EndedPage {
  readonly endings: readonly NumberedEnding[];
  /** Of the last one; undefined where none is behind it. */
  readonly place: EndedPlace | undefined;
}

export interface SessionStore {
  /** Stores a session and revokes the token's earlier uncommitted ones, all or nothing. */
  enrol(session: NewSession, bounds: { readonly enrolmentsPerTokenMax: number }): Promise<EnrolOutcome>;
  /**
   * Stores a session below a committed one that lives, all or nothing; it has the claims, the principal and the posture of its parent.
   * Whatever ends a session ends all that are below it, in the same transaction.
   */
  narrow(child: NewChild, bounds: NarrowBounds): Promise<NarrowOutcome>;
  /** The policies of these sessions that others made, in the order of their ids. */
  narrowingsOf(ids: readonly string[]): Promise<readonly NarrowedSession[]>;
  /** Sessions below this one that live, or ended with it. */
  below(session: Pick<SessionRecord, 'id' | 'above'>): Promise<readonly SessionRecord[]>;
  /** Marks the session committed and its token consumed, all or nothing; repeating it is harmless. */
  commit(id: string, nowMs: number): Promise<CommitOutcome>;
  find(id: string): Promise<SessionRecord | undefined>;
  /**
   * Ends a living session. False if there is none of that id. One that was not committed takes its token with it, all or nothing:
   * whoever ended it on purpose did not mean that the token starts another.
   */
  end(id: string, ending: SessionEnding, nowMs: number): Promise<boolean>;
  /**
   * Uses the token up before a session does, all or nothing: of a commit and this, whichever is first holds. A session that is not
   * committed is revoked with it. Repeating it is harmless.
   */
  withdraw(
    token: Pick<NewSession, 'tokenKey' | 'tokenExpiresMs'>,
    reason: string,
    nowMs: number,
  ): Promise<WithdrawOutcome>;
  /**
   * Ends sessions past their time, at most `limit` (`pruneBatch`) in one call, and gives those that this very call ended. Tokens that
   * were not committed stay fresh.
   */
  expire(nowMs: number, limit?: number): Promise<readonly SessionRecord[]>;
  /**
   * Of a store that went back: the session is there again, committed if it was, and its token used up; others that began with a token
   * that was used are revoked. One that is over stays over, and one whose token another one has is over. What was ended on purpose comes
   * back ended, never living between, and its token used. Repeating it changes nothing.
   */
  restore(session: SessionRecord, nowMs: number): Promise<RestoreOutcome>;
  /**
   * Of a store that went back: as `end`, and where the session is not there, it is put there as over, so that whoever restores it finds
   * that. False if it is over.
   */
  restoreEnding(id: string, ending: SessionEnding, nowMs: number): Promise<boolean>;
  /** Newest first. */
  list(query: SessionQuery): Promise<readonly SessionRecord[]>;
  /** Endings after a point of the store's change counter, by any process; without one, only the counter. */
  endingsSince(sequence: number | undefined): Promise<{
    readonly sequence: number;
    readonly endings: readonly NumberedEnding[];
  }>;
  /** Sessions that ended behind that place, in the order of their times and then of their ids, at most `limit`. */
  endedBehind(place: EndedPlace, limit: number): Promise<EndedPage>;
  /** Sessions that ended at this time or later, the oldest first, at most `limit`: the latest of them. */
  endedSince(overMs: number, limit: number): Promise<readonly NumberedEnding[]>;
  /** Forgets sessions that were over before this time, at most `pruneBatch` in one call. Gives how many. */
  prune(beforeMs: number): Promise<number>;
}

/** What one gateway saw of a session: how many tunnels it has there, and when it looked. */
export interface SessionPresence {
  readonly sessionId: string;
  readonly gatewayId: string;
  readonly tunnels: number;
  readonly seenMs: number;
  /** Version of the policy that the gateway judged by. */
  readonly policyVersion: string;
}

export interface PresenceStore {
  /** Replaces what the same gateway said of the same sessions; sessions that are unknown are left out. */
  note(presences: readonly SessionPresence[]): Promise<void>;
  of(sessionId: string): Promise<readonly SessionPresence[]>;
}

export interface TokenStore {
  /** The session that consumed the token, or with which it was revoked; `withdrawnToken` for one that was withdrawn before a session began. */
  consumedBy(tokenKey: string): Promise<string | undefined>;
  /** Forgets tokens that could not be presented any more at this time, at most `pruneBatch`. Gives how many. */
  prune(nowMs: number): Promise<number>;
}

export interface SeenProof {
  readonly keyThumbprint: string;
  readonly jti: string;
  /** Until when the proof would be accepted again if it were not remembered. */
  readonly expiresMs: number;
}

export interface ProofStore {
  /** Remembers a proof. `full` means that it was not remembered, so it must be refused. */
  remember(
    proof: SeenProof,
    bounds: { readonly nowMs: number; readonly proofsPerKeyMax: number; readonly proofsMax: number },
  ): Promise<'new' | 'seen' | 'full'>;
  /** Forgets proofs that would be too old anyway, at most `pruneBatch`. Gives how many. */
  prune(nowMs: number): Promise<number>;
}

/** An event as it is stored. */
export interface AuditEntry extends AuditFacts {
  /** What it used, where whoever made the JSON said so too; else the JSON says it. */
  readonly used?: UsedFacts | undefined;
}

export interface AuditStore {
  /** Of a store that is another process and can be away. Absent: what it has stored is as durable as a file of this machine. */
  readonly delivery?: AuditDelivery;
  /** What shows that stored events were changed. */
  readonly chain: AuditChain;
  /**
   * Stores a batch in one transaction. An event whose id is already stored is left as it is. `open` is what has not ended:
   * the event that it leaves if nothing more is heard of it. Such a marker is no event yet, and replaces its earlier one.
   */
  append(entries: readonly AuditEntry[], open?: readonly AuditEntry[]): Promise<void>;
  /** Markers of processes that are gone, the oldest first. They stay until their events are appended. */
  leftOpen(limit: number): Promise<readonly AuditEvent[]>;
  /** Markers of processes that run, in the order of their ids: what is open now, over all gateways. Those behind that id; '' for the first. */
  stillOpen(behindId: string, limit: number): Promise<readonly AuditEvent[]>;
  query(query: AuditQuery): Promise<readonly AuditEvent[]>;
  /** The newest that fit, by an index, in bounded steps: a page may have none and still say where to go on. */
  search(search: AuditSearch): Promise<AuditPage>;
  /** Events of a time in its order, the oldest first, a page at a time. */
  period(period: AuditPeriod): Promise<PeriodPage>;
  find(id: string): Promise<AuditEvent | undefined>;
  /**
   * Forgets events that are out of bounds, and gives how many: at most `batch`, but for a day of which all is too old, which goes as a whole
   * where the store keeps days apart. What is too old goes first; there it may be a day older. Where there is too
   * much, it goes from whoever holds most, the oldest first, but for the first 1,000 events of each session; those go last of all, the
   * oldest of the store first. Of the events without a session, all of one verdict count as those of one.
   */
  prune(bounds: AuditBounds): Promise<number>;
  /**
   * Of a store that keeps days apart: takes away the oldest one if all of it was stored before that time, and gives how many events that
   * were. All of it is read for that, which takes minutes where it is large; the signal ends it, and then nothing went.
   */
  dropDay?(beforeMs: number, signal?: AbortSignal): Promise<number>;
  /** What is stored now. */
  held(): Promise<AuditHeld>;
  /** Of a store that keeps events in parts by day: makes those of the days to come. Gives for how many there are some; undefined without parts. */
  makeRoom?(): Promise<number | undefined>;
  /** Of such a store: what somebody should see to, in sentences, where so many days are to be kept. */
  roomProblems?(keepDays: number): Promise<readonly string[]>;
}

/** A record of a spool: what began, or what ended. */
export interface SpooledEntry {
  readonly sequence: number;
  readonly kind: 'opened' | 'event';
  readonly entry: AuditEntry;
}

/** Records that follow each other in one spool. */
export interface SpoolBatch {
  readonly spool: string;
  /** How far the store said that it has the spool; 0 for one that it does not know. */
  readonly after: number;
  readonly records: readonly SpooledEntry[];
}

/** Takes over what gateways keep of the audit in files of their own, in order and exactly once. */
export interface AuditDelivery {
  /**
   * Stores the batch and how far the spool is with it in one transaction, if the store has the spool up to `after`. Gives how far it
   * has it then: after another number than that of the last record nothing of the batch is stored, and whoever delivers goes on
   * from there. A batch without records says that its gateway lives. What the store can never take is an alarm in its place.
   */
  deliver(batch: SpoolBatch): Promise<number>;
  /** Nothing follows from that spool: what it left open is left (`leftOpen`). */
  finish(spool: string): Promise<void>;
}

/** How many events there are, and the bytes of their JSON. */
export interface AuditHeld {
  readonly events: number;
  readonly bytes: number;
}

/** What of the audit is kept. */
export interface AuditBounds {
  /** Events from before this time go. */
  readonly beforeMs?: number;
  /** About this many stay. */
  readonly keepEvents?: number;
  /** So many bytes of JSON stay at the most. */
  readonly keepBytes?: number;
  /** Whole days are left to `dropDay`. */
  readonly leavesDays?: boolean;
  /** How many one call may remove: removing holds up other writers. */
  readonly batch: number;
}

/** `isUncertain`: the store may be another one than before, so what was numbered before is to be asked for anew. */
export type ChangeListener = (isUncertain: boolean) => void;

/** Stands for the session that consumed a token, where there is none. */
export const withdrawnToken = '';

/** All of one engine. Every method may throw ProxyError `store_unavailable`. */
export interface Store extends AsyncDisposable {
  readonly sessions: SessionStore;
  readonly presence: PresenceStore;
  readonly tokens: TokenStore;
  readonly proofs: ProofStore;
  readonly access: AccessStore;
  readonly questions: QuestionStore;
  readonly budgets: BudgetStore;
  readonly knownIds: KnownIdStore;
  readonly firstSeen: FirstSeenStore;
  readonly treeHeads: TreeHeadStore;
  readonly leases: LeaseStore;
  readonly keptTokens: KeptTokenStore;
  readonly operators: OperatorStore;
  readonly gateways: GatewayStore;
  readonly identity: IdentityStore;
  readonly policies: PolicyStore;
  readonly changes: ChangeStore;
  readonly audit: AuditStore;
  readonly uses: UseStore;
  readonly acts: ActStore;
  /**
   * Of a login that writes by acts alone, who that is: sessions are ended, access is decided and policies are published in the name of the login, each
   * leaves its act in the same transaction, and nothing else can be written.
   */
  readonly actsAs?: string;
  /** Of a store that can be away: asks it something small, which waits for nothing else. Rejects while it is away. */
  readonly probe?: () => Promise<void>;
  /** Of a store that can be moved: the URL of the one that has its state now. Then this one is away for good. */
  readonly movedTo?: () => string | undefined;
  /**
   * Calls the listener when another process may have ended a session, decided about access or published a policy, and gives the function that takes it
   * away again. A hint that may be late or lost: who has to know looks at an interval all the same.
   */
  onChange(listener: ChangeListener): () => void;
  /** Ends the engine; ending twice is harmless. */
  close(): Promise<void>;
}
