// What an operator makes of a request for access, by whatever way they came: the decision, and its event.

import { ProxyError } from '../../protocol/error.ts';
import type { AccessRecord, AccessScope, AccessStore, AccessTerms } from '../../store/access-store.ts';
import type { SessionStep } from '../audit/session-audit.ts';
import { describeAsked } from './access-request.ts';

/** Where decisions are made. */
export interface DecisionDesk {
  readonly access: AccessStore;
  /** Who decides, for the audit. */
  readonly operator: string;
  /** Resolves when the event is stored; throws `audit_unavailable`. */
  readonly record: (step: SessionStep) => Promise<void>;
}

export interface DecisionInput {
  readonly record: AccessRecord;
  readonly nowMs: number;
  /** Words for the workload. */
  readonly note?: string | undefined;
}

/** How far a grant is meant to go. */
export interface GrantWish {
  readonly scope?: AccessScope | undefined;
  readonly subject: 'session' | 'principal';
  readonly forMs: number;
}

/** The terms of a grant. @throws ProxyError usage for those that the request cannot have */
export function grantTerms(
  record: AccessRecord,
  wish: GrantWish,
  { nowMs, maxMs }: { readonly nowMs: number; readonly maxMs: number },
): AccessTerms {
  const hasPath = record.path !== undefined;
  const scope: AccessScope = wish.scope ?? (hasPath ? 'exact' : 'host');
  if (!hasPath && scope !== 'host')
    throw new ProxyError(
      'usage',
      `the request asks for all of ${record.host}: grant it with the scope host, or deny it`,
    );
  if (wish.forMs > maxMs)
    throw new ProxyError(
      'usage',
      `a grant holds at most ${maxMs / 1000}s; what should hold longer is a rule of the policy`,
    );
  return { scope, subject: wish.subject, endsMs: nowMs + wish.forMs };
}

/** Grants it, and gives what was granted as a sentence. @throws ProxyError state_changed, audit_unavailable */
export async function grantAccess(
  desk: DecisionDesk,
  input: DecisionInput,
  terms: AccessTerms,
): Promise<string> {
  const { record, nowMs } = input;
  const { id } = record;
  if (!['pending', 'denied', 'granted'].includes(record.state)) throw wrongState(record, 'granted');
  const asked = describeAsked(record);
  const ends = new Date(terms.endsMs).toISOString();
  const message = `Access ${id} was granted until ${ends}: ${asked}, scope ${terms.scope}, for the ${terms.subject}.`;
  // Stored first: no grant without its event.
  await desk.record({ ...stepOf('access_granted', desk, input), message });
  if (!(await desk.access.grant(id, terms, noted(input, nowMs)))) throw wrongState(record, 'granted');
  return `granted ${id} until ${ends}: ${asked}, scope ${terms.scope}, for the ${terms.subject}`;
}

/** Denies it, or takes a grant back. @throws ProxyError state_changed, audit_unavailable */
export async function closeAccess(
  desk: DecisionDesk,
  input: DecisionInput,
  to: 'denied' | 'revoked',
): Promise<void> {
  const { record, nowMs } = input;
  const decision = noted(input, nowMs);
  const isDone =
    to === 'denied'
      ? await desk.access.deny(record.id, decision)
      : await desk.access.revoke(record.id, decision);
  if (!isDone) throw wrongState(record, to);
  const message = `Access ${record.id} was ${to}: ${describeAsked(record)}.`;
  await desk.record({ ...stepOf(`access_${to}`, desk, input), message });
}

function noted({ note }: DecisionInput, nowMs: number): { nowMs: number; note?: string } {
  return note === undefined ? { nowMs } : { nowMs, note };
}

function stepOf<const Action extends string>(
  action: Action,
  { operator }: DecisionDesk,
  { record, note, nowMs }: DecisionInput,
) {
  const { id, sessionId, principalId } = record;
  const details = { id, operator, was: record.state, ...(note === undefined ? {} : { note }) };
  return { action, nowMs, sessionId, principal: principalId, details };
}

function wrongState({ id, state }: AccessRecord, to: string): ProxyError {
  return new ProxyError('access_unknown', `the request ${id} is ${state} and cannot be ${to}`);
}
