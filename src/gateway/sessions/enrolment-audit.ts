// What the audit says of an enrolment, and of those that it ended.

import type { SessionRecord } from '../../store/store.ts';
import type { SessionAudit, SessionStep } from '../audit/session-audit.ts';
import { enrolmentFactsOf } from './session-response.ts';

export interface Enrolment {
  readonly session: SessionRecord;
  /** Earlier sessions of the same token. */
  readonly superseded: readonly string[];
  readonly agentSession: string | undefined;
}

/** Resolves when the events are stored. @throws ProxyError audit_unavailable */
export async function recordEnrolment(
  audit: Pick<SessionAudit, 'record'>,
  at: Pick<SessionStep, 'nowMs' | 'traceId'>,
  { session, superseded, agentSession }: Enrolment,
): Promise<void> {
  const { id, principalId: principal } = session;
  for (const earlier of superseded)
    await audit.record({
      ...at,
      action: 'revoked',
      sessionId: earlier,
      principal,
      message: `Revoked: session ${id} enrolled with the same token before the commit.`,
    });
  await audit.record({
    ...at,
    action: 'enrolled',
    sessionId: id,
    principal,
    details: {
      ...enrolmentFactsOf(session),
      ...(agentSession === undefined ? {} : { agentSession }),
      ...(superseded.length > 0 ? { superseded } : {}),
    },
  });
}
