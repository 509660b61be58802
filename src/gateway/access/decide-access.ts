// What an operator makes of a request for access, by whatever way they came: the decision, and its event.

import { ProxyError } from '../../protocol/error.ts';
import { pushedRepository, pushGrant } from '../../policy/push-grant.ts';
import { defaultLimits } from '../../protocol/limits.ts';
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
  /** Only pushes that change these refs. */
  readonly refs?: readonly string[] | undefined;
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
  const terms = { scope, subject: wish.subject, endsMs: nowMs + wish.forMs };
  return wish.refs === undefined ? terms : { ...terms, refs: checkedRefs(record, wish, wish.refs) };
}

/** @throws ProxyError usage */
function checkedRefs(
  { method, path }: AccessRecord,
  { scope }: GrantWish,
  refs: readonly string[],
): readonly string[] {
  const { accessRefsMax: max } = defaultLimits;
  const repository = pushedRepository({ method, path });
  if (repository === undefined)
    throw new ProxyError(
      'usage',
      'refs bound a push, and the request does not ask for one: it would name the URL of a repository, without a method',
    );
  if (scope !== undefined && scope !== 'exact')
    throw new ProxyError('usage', 'refs are of the repository that was asked for; leave the scope out');
  if (refs.length === 0 || refs.length > max)
    throw new ProxyError('usage', `name 1 to ${max} refs (accessRefsMax), such as refs/heads/agent/**`, {
      limit: 'accessRefsMax',
    });
  const push = pushGrant(repository, refs);
  if (typeof push === 'string') throw new ProxyError('usage', push);
  return [...new Set(refs)];
}

/** How far a grant goes, for people: `scope exact, for the session`. */
export function termsText({ scope, subject, refs }: AccessTerms): string {
  const what = refs === undefined ? `scope ${scope}` : `only pushes that create or update ${refs.join(', ')}`;
  return `${what}, for the ${subject}`;
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
  const message = `Access ${id} was granted until ${ends}: ${asked}, ${termsText(terms)}.`;
  // Stored first: no grant without its event.
  const step = stepOf('access_granted', desk, input);
  const { refs } = terms;
  const details = refs === undefined ? step.details : { ...step.details, refs };
  await desk.record({ ...step, details, message });
  if (!(await desk.access.grant(id, terms, noted(input, nowMs)))) throw wrongState(record, 'granted');
  return `granted ${id} until ${ends}: ${asked}, ${termsText(terms)}`;
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
