// Events of the audit: a page, one, and what comes.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { eventMatcher } from '../../api/admin/event-filter.ts';
import type { OutputOf } from '../../api/admin/routes.ts';
import type { EventFilter } from '../../api/admin/schemas.ts';
import type { AuditEvent } from '../../api/audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { AuditFilter } from '../../store/audit-statement.ts';
import { auditCursor, placeOfAuditCursor } from '../../store/audit-cursor.ts';
import type { Store } from '../../store/store.ts';
import { type AdminParts, type Asked, given, type Handlers, isoTime } from './admin-parts.ts';
import { openCursor, sealCursor } from './cursor-seal.ts';
import type { Operator } from './operator.ts';
import { VisibleEvents } from './visible-events.ts';

const countDefault = 100;
const minuteMs = 60_000;
/** Events that one question to the store gives, and how many it looks at for them; between two the loop serves others. */
const scanBatch = 500;
const lookBatch = 2_000;

export const eventOperations: Handlers<'exchanges' | 'exportEvents' | 'exchange'> = {
  exchanges: page,
  exportEvents: exported,
  exchange: async ({ store }, { id, operator }) => {
    const event = await store.audit.find(id);
    const visible = new VisibleEvents(operator, store);
    if (event === undefined || !(await visible.sees(event)))
      throw new ProxyError('operation_unknown', 'there is no event of that id');
    return event;
  },
};

/** What the store itself looks for; the rest is looked at here. */
function storeFilter({ session, principal, host, trace, verdict, kind, since }: EventFilter): AuditFilter {
  return {
    ...given('sessionId', session),
    ...given('principal', principal),
    ...given('host', host?.toLowerCase()),
    ...given('trace', trace),
    ...given('verdict', verdict),
    ...given('kind', kind),
    ...given('fromMs', since === undefined ? undefined : Date.parse(since)),
  };
}

/** One step of a page. */
interface Step {
  readonly events: readonly AuditEvent[];
  /** Where the next step goes on; undefined where there is nothing more. */
  readonly next: string | undefined;
  readonly looked: number;
}

async function older({ audit }: Store, filter: EventFilter, cursor: string | undefined): Promise<Step> {
  const search = {
    ...storeFilter(filter),
    ...given('beforeId', cursor),
    limit: scanBatch,
    lookMax: lookBatch,
  };
  const { events, next } = await audit.search(search);
  return {
    events,
    next,
    looked: events.length < scanBatch && next !== undefined ? lookBatch : events.length,
  };
}

async function newer({ audit }: Store, { session, verdict }: EventFilter, cursor: string): Promise<Step> {
  // By an index each, in the order of storing.
  const filter =
    session !== undefined
      ? { sessionId: session }
      : verdict === undefined || verdict === 'allow'
        ? {}
        : { verdict };
  const events = await audit.query({ ...filter, sinceId: cursor, limit: scanBatch });
  return {
    events,
    next: events.length < scanBatch ? undefined : events.at(-1)?.id,
    looked: events.length,
  };
}

/**
 * Of an event that is not there the store could not tell the place without looking at all. Who sees only some sessions names those that are theirs, or
 * what an earlier page sealed. @throws ProxyError operation_unknown
 */
async function readCursor(
  { store, signingKey }: AdminParts,
  operator: Operator,
  cursor: string | undefined,
): Promise<string | undefined> {
  if (cursor === undefined) return undefined;
  const sealed = operator.sees === undefined ? undefined : openCursor(signingKey, cursor);
  const event = await store.audit.find(sealed ?? cursor);
  const isTheirs =
    event !== undefined && (sealed !== undefined || (await new VisibleEvents(operator, store).sees(event)));
  if (isTheirs) return event.id;
  throw new ProxyError(
    'operation_unknown',
    'the event that the cursor names is not there any more; begin without it',
  );
}

type Page = OutputOf<'exchanges'>;

async function page(parts: AdminParts, asked: Asked<'exchanges'>): Promise<Page> {
  const { store } = parts;
  const { before, after, count = countDefault, ...filter } = asked.query;
  if (before !== undefined && after !== undefined)
    throw new ProxyError('usage', 'name one of before and after: each gives another direction');
  const begin = await readCursor(parts, asked.operator, before ?? after);
  const matches = eventMatcher(filter);
  const visible = new VisibleEvents(asked.operator, store);
  const items: AuditEvent[] = [];
  const told = (last: AuditEvent | undefined, next: string | undefined): Page =>
    pageOf(items, last, next, asked.operator.sees === undefined ? undefined : parts.signingKey);
  let cursor = begin;
  for (let looked = 0; looked < defaultLimits.adminScannedEventsMax;) {
    const step =
      after === undefined ? await older(store, filter, cursor) : await newer(store, filter, cursor ?? '');
    for (const event of step.events) {
      if (matches(event) && (await visible.sees(event))) items.push(event);
      if (items.length >= count) return told(event, event.id);
    }
    if (step.next === undefined) return { items };
    cursor = step.next;
    looked += step.looked;
    await nextTurn();
  }
  const last = cursor === undefined ? undefined : await store.audit.find(cursor);
  return told(last, cursor);
}

/** With a key: the event may be of others, so its id is sealed and its time told by the minute, which is never further than was looked. */
function pageOf(
  items: readonly AuditEvent[],
  last: AuditEvent | undefined,
  next: string | undefined,
  key: AdminParts['signingKey'] | undefined,
): Page {
  if (key === undefined || next === undefined)
    return { items, ...given('next', next), ...given('searchedTo', last?.time) };
  const searchedTo = last && isoTime(Math.ceil(Date.parse(last.time) / minuteMs) * minuteMs);
  return { items, next: sealCursor(key, next), ...given('searchedTo', searchedTo) };
}

/** Goes on until a page has something on it: where a page ends, the store alone can say, and it says that of whole ones. */
async function exported(
  { store }: AdminParts,
  { operator, query: { behind, count = countDefault, ...filter } }: Asked<'exportEvents'>,
): Promise<OutputOf<'exportEvents'>> {
  const matches = eventMatcher(filter);
  const visible = new VisibleEvents(operator, store);
  const { since, until } = filter;
  const period = {
    ...given('fromMs', since === undefined ? undefined : Date.parse(since)),
    ...given('untilMs', until === undefined ? undefined : Date.parse(until)),
    limit: count,
  };
  let place = behind === undefined ? undefined : placeOfAuditCursor(behind);
  // A question to the store costs more than its events, and counts as many.
  const step = Math.max(count, scanBatch);
  for (let looked = 0; ; looked += step) {
    const { events, next } = await store.audit.period({ ...period, behind: place });
    const items: AuditEvent[] = [];
    for (const event of events) if (matches(event) && (await visible.sees(event))) items.push(event);
    if (next === undefined) return { items };
    if (items.length > 0 || looked + step >= defaultLimits.adminScannedEventsMax)
      return { items, next: auditCursor(next) };
    place = next;
    await nextTurn();
  }
}

/** Every event that fits, as it is stored, until the signal aborts. @throws ProxyError operation_unknown */
export async function followEvents(
  parts: AdminParts,
  asked: Asked<'follow'>,
  signal: AbortSignal,
): Promise<AsyncGenerator<AuditEvent>> {
  const after = await readCursor(parts, asked.operator, asked.query.after);
  return followedEvents(parts, asked, { after, signal });
}

async function* followedEvents(
  { followers, store }: AdminParts,
  { query, operator }: Asked<'follow'>,
  { after, signal }: { readonly after: string | undefined; readonly signal: AbortSignal },
): AsyncGenerator<AuditEvent> {
  const { after: _, ...filter } = query;
  const matches = eventMatcher(filter);
  const visible = new VisibleEvents(operator, store);
  let cursor = after ?? followers.newestId;
  while (!signal.aborted) {
    const { found } = followers;
    const events = await followers.after(cursor);
    for (const event of events) {
      cursor = event.id;
      if (matches(event) && (await visible.sees(event))) yield event;
      if (signal.aborted) return;
    }
    if (events.length === 0) await followers.more(found, signal);
    else await nextTurn();
  }
}
