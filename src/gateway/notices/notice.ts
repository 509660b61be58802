// Which events of the audit people and their systems are told of at once, and what of them.

import type { AuditEvent } from '../../api/audit-event.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { NoticeKind } from '../config/notice-kinds.ts';

/** What a receiver is told. Texts are of a bounded length and have no query of a URL. */
export interface Notice {
  /** Of the event in the audit. */
  readonly id: string;
  readonly kind: NoticeKind;
  /** RFC 3339. */
  readonly time: string;
  /** One sentence for people. */
  readonly text: string;
  readonly facts: NoticeFacts;
  /** The session among whose notices it counts: of one that another made, the one above all. Absent: none. */
  readonly ownerId?: string;
  readonly question?: NoticeQuestion;
}

export interface NoticeFacts {
  readonly sessionId?: string;
  readonly principal?: string;
  readonly action?: string;
  readonly rule?: string;
  readonly method?: string;
  readonly host?: string;
  readonly port?: number;
  readonly path?: string;
  readonly errorCode?: string;
  readonly message?: string;
  readonly traceId: string;
}

/** A request that waits for a decision. */
export interface NoticeQuestion {
  readonly id: string;
  /** The request. */
  readonly asked: string;
  /** Whether its URL has a query, which is not told. */
  readonly hasQuery: boolean;
  /** What can be said besides deny. */
  readonly choices: readonly string[];
  /** What a decision of "once" is bound to. */
  readonly bound: readonly { readonly name: string; readonly value: string }[];
  /** RFC 3339: until when the client waits, and until when it can be decided. */
  readonly heldUntil?: string;
  readonly decidableUntil?: string;
}

/** Undefined: nobody is told of it. */
export function noticeKindOf(event: AuditEvent): NoticeKind | undefined {
  const { kind, action, verdict, errorCode, limit, rule } = event;
  if (kind === 'alarm') return 'alarm';
  if (action === 'question_asked') return 'question';
  if (action === 'access_requested') return 'access';
  if (verdict !== 'deny' || kind === 'session') return undefined;
  // A limit of the gateway has a name; what a rule allows is of the rule.
  return errorCode === 'limit_exceeded' && limit === undefined && rule !== undefined ? 'budget' : 'denial';
}

export function noticeOf(event: AuditEvent, kind: NoticeKind): Notice {
  const { id, time, details } = event;
  const question = kind === 'question' ? questionOf(details ?? {}) : undefined;
  const rule = kind === 'question' ? details?.['rule'] : undefined;
  const root = kind === 'question' ? details?.['root'] : undefined;
  const facts = { ...factsOf(event), ...(typeof rule === 'string' ? textFact('rule', rule) : {}) };
  return {
    id,
    kind,
    time,
    text: textOf(kind, facts, question),
    facts,
    ...textFact('ownerId', typeof root === 'string' ? root : event.sessionId),
    ...(question === undefined ? {} : { question }),
  };
}

function factsOf(event: AuditEvent): NoticeFacts {
  const { action, port, path, errorCode, traceId } = event;
  return {
    ...textFact('sessionId', event.sessionId),
    ...textFact('principal', event.principal),
    ...textFact('action', action),
    ...textFact('rule', event.rule),
    ...textFact('method', event.method),
    ...textFact('host', event.host),
    ...(port === undefined ? {} : { port }),
    // What stands in a query may be a secret of somebody.
    ...textFact('path', path?.replace(/\?.*$/s, '?…')),
    ...textFact('errorCode', errorCode),
    ...textFact('message', event.message),
    traceId,
  };
}

function textFact<Name extends string>(
  name: Name,
  text: string | undefined,
): { readonly [key in Name]?: string } {
  // One key of that name.
  return (text === undefined ? {} : { [name]: shortened(text) }) as { readonly [key in Name]?: string };
}

function questionOf(details: Readonly<Record<string, unknown>>): NoticeQuestion {
  const { id, asked, choices, bound, heldUntil, decidableUntil } = details;
  return {
    id: String(id),
    asked: shortened(String(asked)),
    hasQuery: details['hasQuery'] === true,
    choices: Array.isArray(choices) ? choices.map(String) : [],
    bound: Array.isArray(bound) ? bound.flatMap(boundOf) : [],
    ...(typeof heldUntil === 'string' ? { heldUntil } : {}),
    ...(typeof decidableUntil === 'string' ? { decidableUntil } : {}),
  };
}

function boundOf(one: unknown): readonly { readonly name: string; readonly value: string }[] {
  if (typeof one !== 'object' || one === null || !('name' in one) || !('value' in one)) return [];
  return [{ name: shortened(String(one.name)), value: shortened(String(one.value)) }];
}

function textOf(kind: NoticeKind, facts: NoticeFacts, question: NoticeQuestion | undefined): string {
  const who = facts.principal === undefined ? 'A session' : `A session of ${facts.principal}`;
  const what = [facts.method, facts.host, facts.path].filter((part) => part !== undefined).join(' ');
  switch (kind) {
    case 'question':
      return `${who} waits for a decision: ${question?.asked ?? what}.`;
    case 'access':
      return `${who} asks for access. ${facts.message ?? ''}`.trimEnd();
    case 'alarm':
      return `Alarm ${facts.action ?? ''}: ${facts.message ?? 'without a message'}`;
    case 'budget':
      return `${who} reached what a rule allows: ${facts.message ?? what}.`;
    case 'denial':
      return `${who} was denied ${what}: ${facts.message ?? facts.errorCode ?? 'no rule allows it'}.`;
  }
}

function shortened(text: string): string {
  const { telemetryTextCharactersMax: max } = defaultLimits;
  return text.length <= max ? text : `${text.slice(0, max - 1).toWellFormed()}…`;
}
