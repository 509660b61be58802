// What an operator's command asks and does, whichever way: in the store of a gateway on this machine, or by the admin API of one elsewhere.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { BodyOf, OutputOf } from '../../api/admin/routes.ts';
import type { AdminRole } from '../../api/admin/roles.ts';
import type { GrantWish } from '../../gateway/access/decide-access.ts';
import type { ChangeConfirmation } from '../../gateway/changes/confirm-change.ts';
import type { Forgotten, ForgetWish } from '../../gateway/packages/forget-seen.ts';
import type { SessionSummary } from '../../gateway/sessions/session-summary.ts';
import type { AccessRecord, AccessState } from '../../store/access-store.ts';
import type { AuditFilter } from '../../store/audit-statement.ts';

/** A token for the admin API, or a session of somebody who logged in, without what proves it. */
export interface ShownToken {
  readonly id: string;
  readonly name: string;
  readonly role: AdminRole | 'unknown';
  readonly sees?: Readonly<Record<string, unknown>> | undefined;
  readonly created: string;
  readonly createdBy: string;
  readonly expires: string;
  readonly lastUsed?: string | undefined;
}

export interface TokenAsked {
  readonly name: string;
  readonly role: AdminRole;
  readonly forMs: number;
  readonly sees?: Readonly<Record<string, string>> | undefined;
}

/** Which events are asked for. */
export type EventsAsked = Pick<AuditFilter, 'sessionId' | 'verdict' | 'fromMs' | 'trace' | 'host'>;

/** In the order that was asked for. */
export interface EventPage {
  readonly events: readonly AuditEvent[];
  /** Goes on there; absent where there is no more. */
  readonly next?: string | undefined;
}

/** What a walk through the audit in the order of time is about. */
export interface PeriodAsked {
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

/** What was kept of the bodies of an exchange. */
export type ShownBodies = OutputOf<'exchangeBodies'>;

/** A question, and what it is about. */
export type ShownQuestion = OutputOf<'accessRequest'>;
export type QuestionDecision = BodyOf<'decideQuestion'>['decision'];

/** Lists come newest first. Everything throws ProxyError. */
export interface OperatorBackend extends AsyncDisposable {
  sessions(asked: { readonly all: boolean; readonly limit: number }): Promise<readonly SessionSummary[]>;
  revokeSession(id: string, reason: string): Promise<void>;
  accessRequests(asked: {
    readonly state?: AccessState;
    readonly limit: number;
  }): Promise<readonly AccessRecord[]>;
  /** Gives what was granted, as a sentence. */
  grantAccess(id: string, wish: GrantWish & { readonly note?: string | undefined }): Promise<string>;
  closeAccess(id: string, to: 'denied' | 'revoked', note: string | undefined): Promise<void>;
  /** Those that wait for an answer, the one with the least time first. With `isHere`, who asks is there to answer them. */
  questions(asked: { readonly isHere: boolean }): Promise<readonly ShownQuestion[]>;
  answerQuestion(id: string, decision: QuestionDecision, note: string | undefined): Promise<void>;
  tokens(): Promise<readonly ShownToken[]>;
  /** Gives the token, this once. */
  makeToken(asked: TokenAsked): Promise<string>;
  /** Gives whose it was. */
  revokeToken(id: string): Promise<string>;
  events(asked: EventsAsked, limit: number, before: string | undefined): Promise<EventPage>;
  /** Those that were stored behind that one, the oldest first; without one, from the first of all. */
  eventsBehind(
    asked: Pick<EventsAsked, 'sessionId' | 'verdict'>,
    id: string | undefined,
    limit: number,
  ): Promise<readonly AuditEvent[]>;
  /** A page of events in the order of their time, the oldest first, behind what the page before gave as `next`. It may be empty. */
  eventsInTime(
    asked: PeriodAsked,
    behind: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<EventPage>;
  /** Who looks is written into the audit first. */
  bodies(id: string): Promise<ShownBodies>;
  /** At most so many at once as a call may. */
  forgetSeen(wish: ForgetWish): Promise<Forgotten>;
  /** Which gateways have taken what was done; undefined where one may not ask. */
  confirm(): Promise<ChangeConfirmation | undefined>;
}
