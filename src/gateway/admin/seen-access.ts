// Requests for access and questions of rules as one list, as the admin API shows them.

import type { OutputOf } from '../../api/admin/routes.ts';
import type { AccessRecord, AccessState, AccessTerms } from '../../store/access-store.ts';
import type { ListPlace } from '../../store/list-place.ts';
import type { QuestionRecord } from '../../store/question-store.ts';
import type { Store } from '../../store/store.ts';
import { given, isoTime } from './admin-parts.ts';

type Access = OutputOf<'accessRequest'>;

export type SeenAccess =
  | { readonly kind: 'request'; readonly record: AccessRecord }
  | { readonly kind: 'question'; readonly record: QuestionRecord };

export const placeOf = ({ record: { createdMs, id } }: SeenAccess): ListPlace => ({ ms: createdMs, id });

export interface SeenQuery {
  readonly state?: AccessState;
  readonly sessionId?: string;
  readonly before?: ListPlace;
  readonly limit: number;
}

/** The newest of both, at most `limit`. Of questions those of every state that could be shown as the one that is asked for. */
export async function mergedPage(
  { access, questions }: Pick<Store, 'access' | 'questions'>,
  { state, ...others }: SeenQuery,
): Promise<readonly SeenAccess[]> {
  const [requests, asked] = await Promise.all([
    access.list({ ...given('state', state), ...others }),
    questions.list({ ...given('state', storedAs(state)), ...others }),
  ]);
  const all: readonly SeenAccess[] = [
    ...requests.map((record) => ({ kind: 'request', record }) as const),
    ...asked.map((record) => ({ kind: 'question', record }) as const),
  ];
  return all.toSorted((a, b) => behind(placeOf(a), placeOf(b))).slice(0, others.limit);
}

function behind(a: ListPlace, b: ListPlace): number {
  if (a.ms !== b.ms) return b.ms - a.ms;
  return a.id < b.id ? 1 : -1;
}

/** Undefined: it can be stored as several. */
function storedAs(state: AccessState | undefined): 'pending' | 'allowed' | 'denied' | undefined {
  switch (state) {
    case 'pending':
    case 'denied':
      return state;
    case 'granted':
      return 'allowed';
    case 'revoked':
    case 'ended':
    case undefined:
      return undefined;
  }
}

export function shownSeen(seen: SeenAccess, nowMs: number): Access {
  return seen.kind === 'request' ? shownRequest(seen.record) : shownQuestion(seen.record, nowMs);
}

function shownRequest(record: AccessRecord): Access {
  const { id, sessionId, principalId, state, scheme, host, port, method, path, reason, traceId } = record;
  const { createdMs, pendingUntilMs, decidedMs, note, terms } = record;
  return {
    id,
    session: sessionId,
    principal: principalId,
    state,
    reason,
    asked: { scheme, host, port, ...given('method', method), ...given('path', path) },
    created: isoTime(createdMs),
    pendingUntil: isoTime(pendingUntilMs),
    ...given('trace', traceId),
    ...given('decided', decidedMs === undefined ? undefined : isoTime(decidedMs)),
    ...given('note', note),
    ...given('terms', terms === undefined ? undefined : shownTerms(terms)),
  };
}

function shownTerms({ scope, subject, refs, endsMs }: AccessTerms): Access['terms'] {
  return { scope, subject, ...given('refs', refs), ends: isoTime(endsMs) };
}

function shownQuestion(record: QuestionRecord, nowMs: number): Access {
  const { id, sessionId, principalId, content, createdMs, pendingUntilMs, decidedMs, note } = record;
  const { scheme, host, port, method, path, rule, bound, body, choices, traceId } = content;
  const state = stateOf(record, nowMs);
  return {
    id,
    kind: 'question',
    question: {
      until: isoTime(record.heldUntilMs),
      rule,
      bound,
      body,
      choices,
      ...given('shown', state === 'pending' ? record.shown : undefined),
      ...given('answered', answeredOf(record)),
    },
    session: sessionId,
    principal: principalId,
    state,
    reason: '',
    asked: { scheme, host, port, method, path },
    created: isoTime(createdMs),
    pendingUntil: isoTime(pendingUntilMs),
    trace: traceId,
    ...given('decided', decidedMs === undefined ? undefined : isoTime(decidedMs)),
    ...given('note', note),
  };
}

function answeredOf({
  state,
  answer,
  decidedBy,
  endsMs,
}: QuestionRecord): NonNullable<Access['question']>['answered'] {
  if (decidedBy === undefined || state === 'pending') return undefined;
  const ends = given('ends', endsMs === undefined ? undefined : isoTime(endsMs));
  return { decision: answer ?? 'deny', by: decidedBy, ...ends };
}

function stateOf(record: QuestionRecord, nowMs: number): AccessState {
  const { state, pendingUntilMs, endsMs, decidedBy } = record;
  switch (state) {
    case 'pending':
      return pendingUntilMs > nowMs ? 'pending' : 'ended';
    case 'allowed':
      return endsMs === undefined || endsMs > nowMs ? 'granted' : 'ended';
    case 'denied':
      return 'denied';
    case 'used':
      return 'ended';
    case 'ended':
      return decidedBy === undefined ? 'ended' : 'revoked';
  }
}
