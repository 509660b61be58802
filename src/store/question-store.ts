// Questions of rules: requests that wait until a person says what becomes of them.

import type { ListPlace } from './list-place.ts';

/**
 * `pending` until somebody answers; `used`: what may go on once went on; `ended`: nobody answered in time, or what was allowed was taken
 * back.
 */
export type QuestionState = 'pending' | 'allowed' | 'denied' | 'used' | 'ended';

export type QuestionAnswer = 'once' | 'session' | 'minutes' | 'always';

/** What is asked. All times are milliseconds since the epoch. */
export interface NewQuestion {
  readonly id: string;
  readonly sessionId: string;
  /** The session that began by a token, in whose name it counts and a denial holds: the same one, or the one above all that made it. */
  readonly rootId: string;
  readonly principalId: string;
  /** Digest of all that an answer of `once` is bound to. */
  readonly onceKey: string;
  /** Digest of what wider answers are bound to. */
  readonly wideKey: string;
  readonly content: QuestionContent;
  /** The beginning of the body, where it is text: kept until somebody has answered, and no longer. */
  readonly shown?: string | undefined;
  readonly createdMs: number;
  /** Until when a client waits. */
  readonly heldUntilMs: number;
  /** Nobody answers later than this. */
  readonly pendingUntilMs: number;
}

/** What people are told. */
export interface QuestionContent {
  readonly rule: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly traceId: string;
  readonly policyVersion: string;
  readonly bound: readonly { readonly name: string; readonly value: string }[];
  readonly body: 'seen' | 'unseen';
  readonly choices: readonly QuestionAnswer[];
}

export interface QuestionRecord extends NewQuestion {
  readonly state: QuestionState;
  readonly answer?: QuestionAnswer;
  readonly decidedMs?: number;
  /** Who answered. */
  readonly decidedBy?: string;
  /** Until when the answer holds; absent: as long as its session. */
  readonly endsMs?: number;
  readonly note?: string;
}

export interface QuestionBounds {
  readonly askPendingPerSessionMax: number;
  readonly askQuestionsPerSessionMax: number;
  readonly askQuestionsMax: number;
}

export type AskOutcome =
  | { readonly kind: 'asked' | 'joined'; readonly record: QuestionRecord }
  | { readonly kind: 'allowed' | 'denied'; readonly record: QuestionRecord }
  | { readonly kind: 'full'; readonly bound: keyof QuestionBounds };

export interface Decided {
  /** Undefined: denied. */
  readonly answer: QuestionAnswer | undefined;
  readonly by: string;
  readonly nowMs: number;
  readonly endsMs: number | undefined;
  readonly note?: string | undefined;
}

export interface QuestionQuery {
  readonly state?: QuestionState;
  readonly sessionId?: string;
  readonly before?: ListPlace;
  readonly limit: number;
}

/** Somebody who would see a question. */
export interface SeenApprover {
  readonly name: string;
  /** Claims of the sessions that are theirs, as JSON; undefined: all. */
  readonly sees: string | undefined;
  readonly untilMs: number;
}

export interface QuestionStore {
  /**
   * Asks, or joins what was asked of the same, or gives the answer that holds for it; all or nothing. What was allowed is of its session
   * alone; what was denied, and the bounds of a session, are of all with the same root.
   */
  ask(question: NewQuestion, bounds: QuestionBounds): Promise<AskOutcome>;
  find(id: string): Promise<QuestionRecord | undefined>;
  /** Those of these ids, in any order. */
  findAll(ids: readonly string[]): Promise<readonly QuestionRecord[]>;
  /** Newest first. */
  list(query: QuestionQuery): Promise<readonly QuestionRecord[]>;
  /** Answers one that is pending. False if there is none of that id: whoever is first has answered. */
  decide(id: string, decided: Decided): Promise<boolean>;
  /** Uses up an answer that holds once. True for one call alone. */
  take(id: string, nowMs: number): Promise<boolean>;
  /** Takes back what was allowed and is not used. False if there is none of that id. */
  close(id: string, decided: Pick<Decided, 'by' | 'nowMs' | 'note'>): Promise<boolean>;
  /** Somebody who may answer is there. */
  noteApprover(approver: SeenApprover): Promise<void>;
  /** Those who are there. */
  approvers(nowMs: number): Promise<readonly SeenApprover[]>;
  /** Forgets questions from before this time that are over, at most `pruneBatch`. Gives how many. */
  prune(beforeMs: number, nowMs: number): Promise<number>;
}
