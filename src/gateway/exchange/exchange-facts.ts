// The facts of an exchange as they are collected: what becomes its event in the audit.

import type { AuditEvent } from '../../api/audit-event.ts';
import { auditEventVersion } from '../../api/audit-event-version.ts';
import type { Principal } from '../../policy/decision.ts';
import { isoTime } from '../audit/event-identity.ts';

export type ExchangeFacts = { -readonly [Name in keyof AuditEvent]?: AuditEvent[Name] };
/** What every event has, but for its id: that is of the moment at which it ends, or is first kept. */
export type OpenFacts = ExchangeFacts &
  Omit<{ -readonly [Name in keyof AuditEvent]: AuditEvent[Name] }, 'id' | 'verdict'>;

/** The members that most events get, in the order in which they are told, so that all of them have one form. */
export function newFacts(
  kind: AuditEvent['kind'],
  traceId: string,
  { sessionId, id: principal }: Principal,
  nowMs: number,
): OpenFacts {
  return {
    v: auditEventVersion,
    id: undefined,
    time: isoTime(nowMs),
    kind,
    traceId,
    sessionId,
    principal,
    verdict: undefined,
    rule: undefined,
    policyName: undefined,
    policyVersion: undefined,
    method: undefined,
    scheme: undefined,
    host: undefined,
    port: undefined,
    path: undefined,
    protocol: undefined,
    upstreamProtocol: undefined,
    address: undefined,
    connection: undefined,
    status: undefined,
    injected: undefined,
    requestBytes: undefined,
    responseBytes: undefined,
    times: undefined,
    durationMs: undefined,
  };
}
