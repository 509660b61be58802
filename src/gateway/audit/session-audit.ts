// Audit events in the life of a session, and of the access that it asked for.

import { defaultLimits } from '../../protocol/limits.ts';
import type { AuditEvent } from '../../api/audit-event.ts';
import { auditEventVersion } from '../../api/audit-event-version.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { DurableAuditSink } from './audit-log.ts';
import { newEventId, newTraceId } from './event-identity.ts';

const minuteMs = 60_000;

/** What the audit says of one step. */
export interface SessionStep {
  readonly action:
    | 'enrolled'
    | 'narrowed'
    | 'committed'
    | 'renewed'
    | 'revoked'
    | 'ended'
    | 'refused'
    | 'token_reused'
    | 'resume_refused'
    | 'access_requested'
    | 'access_granted'
    | 'access_denied'
    | 'access_revoked'
    | 'access_ended'
    | 'question_asked'
    | 'question_answered'
    | 'question_overtaken'
    | 'question_closed'
    | 'operator_token_made'
    | 'operator_token_revoked'
    | 'session_token_issued'
    | 'session_token_withdrawn'
    | 'proxy_token_exposed'
    | 'policy_published'
    | 'policy_taken'
    | 'policy_refused'
    | 'operator_logged_in'
    | 'operator_log_in_failed'
    | 'operator_logged_out'
    | 'administrator_token_used'
    | 'operator_link_reused'
    | 'store_went_back'
    | 'bodies_viewed'
    | 'packages_forgotten'
    | 'leaks_exceeded'
    | 'advisories_stale'
    | 'authority_expiring'
    | 'lease_taken'
    | 'lease_given_back'
    | 'lease_lost'
    | 'lease_not_given_back'
    | 'credential_logged_in'
    | 'credential_logged_out'
    | 'credential_asked_again'
    | 'credential_refused';
  readonly nowMs: number;
  readonly traceId?: string;
  readonly sessionId?: string;
  readonly principal?: string;
  readonly message?: string;
  readonly error?: ProxyError;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Turns steps into events and waits until they are stored: no response to an agent without its event. */
export class SessionAudit {
  readonly #sink: DurableAuditSink;
  readonly #refusalsPerMinuteMax: number;
  #minuteStartMs = 0;
  #strangerRefusals = 0;

  /** @param refusalsPerMinuteMax of strangers */
  constructor(
    sink: DurableAuditSink,
    refusalsPerMinuteMax: number = defaultLimits.strangerRefusalsPerMinuteMax,
  ) {
    this.#sink = sink;
    this.#refusalsPerMinuteMax = refusalsPerMinuteMax;
  }

  get healthy(): boolean {
    return this.#sink.healthy;
  }

  /** Throws ProxyError `audit_unavailable` if the event cannot be stored. */
  async record(step: SessionStep): Promise<void> {
    this.#sink.append(eventOf(step));
    await this.#sink.flush();
  }

  /** A refusal of somebody whose token does not verify. Bounded in time, and never waits. */
  strangerRefused(error: ProxyError, nowMs: number, traceId: string | undefined): void {
    this.#refused({ action: 'refused', nowMs, error, ...(traceId === undefined ? {} : { traceId }) });
  }

  /** A tunnel was wanted by somebody who may not have it. Bounded in time, and never waits. */
  resumeRefused(step: Omit<SessionStep, 'action'>): void {
    this.#refused({ ...step, action: 'resume_refused' });
  }

  /** Somebody did not come through a log-in to the console. Bounded in time, and never waits. */
  logInFailed(step: Omit<SessionStep, 'action'>): void {
    this.#refused({ ...step, action: 'operator_log_in_failed' });
  }

  #refused(step: SessionStep): void {
    const { nowMs } = step;
    if (nowMs - this.#minuteStartMs >= minuteMs) {
      this.#minuteStartMs = nowMs;
      this.#strangerRefusals = 0;
    }
    this.#strangerRefusals += 1;
    if (this.#strangerRefusals > this.#refusalsPerMinuteMax) return;
    const last = this.#strangerRefusals === this.#refusalsPerMinuteMax;
    this.#sink.append(
      eventOf({
        ...step,
        ...(last ? { details: { note: 'Further refusals of this minute are not recorded.' } } : {}),
      }),
    );
  }
}

const alarms: ReadonlySet<SessionStep['action']> = new Set([
  'token_reused',
  'proxy_token_exposed',
  'resume_refused',
  'operator_link_reused',
  'policy_refused',
  'administrator_token_used',
  'store_went_back',
  'leaks_exceeded',
  'advisories_stale',
  'authority_expiring',
  'lease_not_given_back',
  'credential_refused',
]);
/** What was done, though somebody has to look at it. */
const done: ReadonlySet<SessionStep['action']> = new Set([
  'policy_refused',
  'administrator_token_used',
  'store_went_back',
  'advisories_stale',
  'authority_expiring',
  'lease_not_given_back',
  'credential_refused',
]);
const refusals: ReadonlySet<SessionStep['action']> = new Set(['refused', 'operator_log_in_failed']);

function eventOf(step: SessionStep): AuditEvent {
  const { action, nowMs, traceId, sessionId, principal, error, details } = step;
  const message = step.message ?? error?.message;
  const alarm = alarms.has(action);
  return {
    v: auditEventVersion,
    id: newEventId(),
    time: new Date(nowMs).toISOString(),
    kind: alarm ? 'alarm' : 'session',
    action,
    traceId: traceId ?? newTraceId(),
    verdict: (alarm && !done.has(action)) || refusals.has(action) ? 'deny' : 'info',
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(principal === undefined ? {} : { principal }),
    ...(error === undefined ? {} : { errorCode: error.code }),
    ...(message === undefined ? {} : { message }),
    ...(details === undefined ? {} : { details }),
  };
}
