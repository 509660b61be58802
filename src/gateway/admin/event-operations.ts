// Events of the audit: a page, one, and what comes.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { eventMatcher } from '../../api/admin/event-filter.ts';
import type { OutputOf } from '../../api/admin/routes.ts';
import type { EventFilter } from '../../api/admin/schemas.ts';
import type { AuditEvent } from '../../api/audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import type { AuditQuery } from '../../store/store.ts';
import type { AdminParts, Asked, Handlers } from './admin-parts.ts';
import { given } from './admin-parts.ts';
import { VisibleEvents } from './visible-events.ts';

const countDefault = 100;
/** Events of one question to the store; between two the loop serves others. */
const scanBatch = 500;

export const eventOperations: Handlers<'exchanges' | 'exchange'> = {
  exchanges: page,
  exchange: async ({ store }, { id, operator }) => {
    const event = await store.audit.find(id);
    const visible = new VisibleEvents(operator, store.sessions);
    if (event === undefined || !(await visible.sees(event)))
      throw new ProxyError('operation_unknown', 'there is no event of that id');
    return event;
  },
};

/**
 * What the store itself looks for, by an index: then it reads no more than it gives. The rest is looked at here, within
 * `adminScannedEventsMax`.
 */
function storeFilter({ session, verdict }: EventFilter): Partial<AuditQuery> {
  if (session !== undefined) return { sessionId: session };
  return verdict === undefined || verdict === 'allow' ? {} : { verdict };
}

/** Of an event that is not there the store could not tell the place without looking at all. @throws ProxyError operation_unknown */
async function requireCursor({ store }: AdminParts, id: string | undefined): Promise<void> {
  if (id !== undefined && (await store.audit.find(id)) === undefined)
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
  await requireCursor(parts, before ?? after);
  const matches = eventMatcher(filter);
  const visible = new VisibleEvents(asked.operator, store.sessions);
  const isForward = after !== undefined;
  const items: AuditEvent[] = [];
  let cursor = isForward ? after : before;
  for (let scanned = 0; scanned < defaultLimits.adminScannedEventsMax; scanned += scanBatch) {
    const place = given(isForward ? 'sinceId' : 'beforeId', cursor);
    const order = isForward ? 'oldest' : 'newest';
    const events = await store.audit.query({ ...storeFilter(filter), ...place, limit: scanBatch, order });
    for (const event of events) {
      cursor = event.id;
      if (matches(event) && (await visible.sees(event))) items.push(event);
      if (items.length >= count) return pageOf(items, event, cursor);
    }
    if (events.length < scanBatch) return { items };
    await nextTurn();
  }
  const last = cursor === undefined ? undefined : await store.audit.find(cursor);
  return pageOf(items, last, cursor);
}

function pageOf(items: readonly AuditEvent[], last: AuditEvent | undefined, next: string | undefined): Page {
  return { items, ...given('next', next), ...given('searchedTo', last?.time) };
}

/** Every event that fits, as it is stored, until the signal aborts. @throws ProxyError operation_unknown */
export async function followEvents(
  parts: AdminParts,
  asked: Asked<'follow'>,
  signal: AbortSignal,
): Promise<AsyncGenerator<AuditEvent>> {
  await requireCursor(parts, asked.query.after);
  return followedEvents(parts, asked, signal);
}

async function* followedEvents(
  { followers, store }: AdminParts,
  { query: { after, ...filter }, operator }: Asked<'follow'>,
  signal: AbortSignal,
): AsyncGenerator<AuditEvent> {
  const matches = eventMatcher(filter);
  const visible = new VisibleEvents(operator, store.sessions);
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
