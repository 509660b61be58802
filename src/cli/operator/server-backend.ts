// Operator commands by the admin API of a gateway elsewhere.

import type { OutputOf } from '../../api/admin/routes.ts';
import { describeAsked } from '../../gateway/access/access-request.ts';
import { termsText } from '../../gateway/access/decide-access.ts';
import type { ChangeConfirmation } from '../../gateway/changes/confirm-change.ts';
import type { Forgotten, ForgetWish } from '../../gateway/packages/forget-seen.ts';
import type { SessionSummary } from '../../gateway/sessions/session-summary.ts';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { placeOfAuditCursor } from '../../store/audit-cursor.ts';
import type { AccessRecord } from '../../store/access-store.ts';
import type { AdminConnection } from '../../admin/admin-connection.ts';
import { wholeBodies } from './server-bodies.ts';
import { byTimeLeft } from './question-order.ts';
import type { EventPage, EventsAsked, OperatorBackend, PeriodAsked } from './operator-backend.ts';

/** For how long a command waits until all gateways have what it did: the API takes no more. */
const confirmSeconds = '10';
const pageEventsMax = 1000;
/** Fewer than it may be: a page of the longest events is read within the time that a response has. */
const exportedPageEvents = 500;

export function serverBackend(connection: AdminConnection): OperatorBackend {
  return {
    sessions: async ({ all, limit }) =>
      (
        await listed(limit, (before) =>
          connection.ask('sessions', { query: { all: String(all), ...before } }),
        )
      ).map(summaryOf),
    revokeSession: async (id, reason) =>
      void (await connection.ask('revokeSession', { id, body: { reason } })),
    accessRequests: (asked) => accessRequests(connection, asked),
    questions: async () => {
      const { items } = await connection.ask('accessRequests', { query: { state: 'pending' } });
      return byTimeLeft(items.filter(({ kind }) => kind === 'question'));
    },
    answerQuestion: async (id, decision, note) =>
      void (await connection.ask('decideQuestion', { id, body: { decision, ...given({ note }) } })),
    grantAccess: async (id, { scope, subject, refs, forMs, note }) => {
      const body = { subject, seconds: Math.ceil(forMs / 1000), ...given({ scope, refs, note }) };
      return grantedText(recordOf(await connection.ask('grantAccess', { id, body })));
    },
    closeAccess: async (id, to, note) =>
      void (await connection.ask(to === 'denied' ? 'denyAccess' : 'revokeAccess', {
        id,
        body: given({ note }),
      })),
    tokens: async () => (await connection.ask('tokens')).items,
    makeToken: async ({ name, role, forMs, sees }) => {
      const body = { name, role, seconds: Math.ceil(forMs / 1000), ...given({ sees }) };
      return (await connection.ask('makeToken', { body })).token;
    },
    revokeToken: async (id) => (await connection.ask('revokeToken', { id })).name,
    events: async (asked, limit, before) => {
      const query = { ...queryOf(asked), count: String(Math.min(limit, pageEventsMax)) };
      const { items, next } = await filledPage(before, (place) =>
        connection.ask('exchanges', { query: { ...query, ...place } }),
      );
      return { events: items, next };
    },
    eventsBehind: async (asked, id, limit) => {
      const query = { ...queryOf(asked), count: String(Math.min(limit, pageEventsMax)) };
      if (id !== undefined)
        return (await connection.ask('exchanges', { query: { ...query, after: id } })).items;
      return (await connection.ask('exchanges', { query })).items.toReversed();
    },
    eventsInTime: (asked, behind, signal) => eventsInTime(connection, asked, { behind, signal }),
    bodies: (id) => wholeBodies(connection, id),
    forgetSeen: (wish) => forgetThere(connection, wish),
    confirm: () => confirmAtServer(connection),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

async function accessRequests(
  connection: AdminConnection,
  { state, limit }: Parameters<OperatorBackend['accessRequests']>[0],
): Promise<readonly AccessRecord[]> {
  const query = given({ state });
  const found = await listed(limit, (before) =>
    connection.ask('accessRequests', { query: { ...query, ...before } }),
  );
  return found.filter(({ kind }) => kind !== 'question').map(recordOf);
}

function forgetThere(
  connection: AdminConnection,
  { registry, dry, index, name, version }: ForgetWish,
): Promise<Forgotten> {
  const body = { registry, dry, ...given({ index, name, version }) };
  return connection.ask('forgetPackages', { body });
}

async function eventsInTime(
  connection: AdminConnection,
  { fromMs, untilMs }: PeriodAsked,
  { behind, signal }: { readonly behind: string | undefined; readonly signal: AbortSignal | undefined },
): Promise<EventPage> {
  const period = given({ since: isoTime(fromMs), until: isoTime(untilMs) });
  const query = { ...period, count: String(exportedPageEvents) };
  const { items, next } = await filledPage(behind, ({ before }) =>
    connection.ask('exportEvents', {
      query: { ...query, ...given({ behind: before }) },
      ...given({ signal }),
    }),
  );
  // One that leads back would be followed for ever, and the export grow.
  if (next !== undefined && !isFurther(next, behind))
    throw new ProxyError('admin_unreachable', 'its pages do not lead on: it is no admin API of ours');
  return { events: items, next };
}

interface ListPage<Item> {
  readonly items: readonly Item[];
  readonly next?: string | undefined;
}

type AskPage<Item> = (before: { readonly before?: string }) => Promise<ListPage<Item>>;

/** Pages until there are so many, or no more. */
async function listed<Item>(limit: number, ask: AskPage<Item>): Promise<readonly Item[]> {
  const items: Item[] = [];
  let next: string | undefined;
  do {
    const found = await filledPage(next, ask);
    items.push(...found.items);
    next = found.next;
  } while (next !== undefined && items.length < limit);
  return items.slice(0, limit);
}

/**
 * A page with something on it, or the last one. Whoever sees few of many is led over empty ones; one that leads on over any number of them is
 * none of ours, whatever its cursors are. @throws ProxyError admin_unreachable
 */
async function filledPage<Item>(before: string | undefined, ask: AskPage<Item>): Promise<ListPage<Item>> {
  const { adminEmptyPagesMax } = defaultLimits;
  let next = before;
  for (let empty = 0; empty < adminEmptyPagesMax; empty += 1) {
    const page = await ask(given({ before: next }));
    if (page.items.length > 0 || page.next === undefined) return page;
    next = page.next;
  }
  throw new ProxyError(
    'admin_unreachable',
    `it leads on over ${adminEmptyPagesMax} pages with nothing on them (adminEmptyPagesMax)`,
    { limit: 'adminEmptyPagesMax' },
  );
}

function queryOf({ sessionId, verdict, fromMs, trace, host }: EventsAsked): Readonly<Record<string, string>> {
  return given({ session: sessionId, verdict, since: isoTime(fromMs), trace, host });
}

/** Whether a cursor of a walk in the order of time leads on. */
function isFurther(next: string, behind: string | undefined): boolean {
  const [to, from] = [
    placeOfAuditCursor(next),
    behind === undefined ? undefined : placeOfAuditCursor(behind),
  ];
  if (to === undefined || from === undefined) return to !== undefined;
  return to.timeMs > from.timeMs || (to.timeMs === from.timeMs && to.sequence > from.sequence);
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** Only those that there are. */
function given<Values extends Readonly<Record<string, unknown>>>(
  values: Values,
): { readonly [Name in keyof Values]?: NonNullable<Values[Name]> } {
  // The filter leaves exactly what the type says.
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    readonly [Name in keyof Values]?: NonNullable<Values[Name]>;
  };
}

function summaryOf(session: OutputOf<'session'>): SessionSummary {
  const { id, principal, claims, state, created, lastSeen, tunnels, posture, expires, policy, reason } =
    session;
  return { id, principal, claims, state, created, lastSeen, tunnels, posture, expires, policy, reason };
}

function recordOf(access: OutputOf<'accessRequest'>): AccessRecord {
  const { id, session, principal, state, asked, reason, trace, created, pendingUntil, decided, note, terms } =
    access;
  return {
    id,
    sessionId: session,
    principalId: principal,
    state,
    scheme: asked.scheme,
    host: asked.host,
    port: asked.port,
    reason,
    createdMs: Date.parse(created),
    pendingUntilMs: Date.parse(pendingUntil),
    ...given({
      method: asked.method,
      path: asked.path,
      traceId: trace,
      note,
      decidedMs: decided === undefined ? undefined : Date.parse(decided),
      terms:
        terms === undefined
          ? undefined
          : {
              scope: terms.scope,
              subject: terms.subject,
              ...given({ refs: terms.refs }),
              endsMs: Date.parse(terms.ends),
            },
    }),
  };
}

function grantedText(record: AccessRecord): string {
  const { id, terms } = record;
  if (terms === undefined) return `granted ${id}`;
  const ends = new Date(terms.endsMs).toISOString();
  return `granted ${id} until ${ends}: ${describeAsked(record)}, ${termsText(terms)}`;
}

/** Undefined where one may not ask, or the gateway does not know of it. @throws ProxyError */
export async function confirmAtServer(connection: AdminConnection): Promise<ChangeConfirmation | undefined> {
  try {
    const said = await connection.ask('changes', { query: { wait: confirmSeconds } });
    const named = (gateways: readonly string[]) => gateways.map((gateway) => ({ gateway }));
    return {
      change: said.change,
      confirmed: named(said.confirmed),
      missing: named(said.missing),
      tookMs: Math.round(said.seconds * 1000),
    };
  } catch (error) {
    // What was done is done. Who sees only some sessions is not told of all gateways, and an older gateway does not know of this.
    if (['operator_refused', 'operation_unknown'].includes(asProxyError(error).code)) return undefined;
    throw error;
  }
}
