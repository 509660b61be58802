// The recorded decisions that `policy learn` and `policy replay` look at, of a file or of the store of a gateway.

import type { AuditEvent } from '../../api/audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { AuditPage, AuditPeriod, AuditPlace } from '../../store/audit-search.ts';
import type { AuditStore, Store } from '../../store/store.ts';
import { readAuditFile } from './audit-file.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { openStoreToRead } from './operator-store.ts';
import { type KnownSessions, noteSession, noteSessionsOfStore, type SessionFacts } from './session-facts.ts';

/** Events that are read from the store at a time: some of two kilobytes each. */
const pageEvents = 1000;

export interface RecordOptions {
  readonly audit?: string | undefined;
  readonly state?: string | undefined;
  readonly config?: string | undefined;
  /** Milliseconds before `nowMs`; absent: all that there is. */
  readonly since?: number | undefined;
  readonly verbose?: boolean | undefined;
}

export interface Records {
  /** Once, one after the other: no more of them is in memory than a page. */
  readonly events: AsyncIterable<AuditEvent>;
  /** Of a file it grows while events are read: what a session is was written before what it did. */
  readonly sessions: SessionFacts;
  /** Where they are of a store, which knows more of sessions. */
  readonly store?: Store;
}

/** Gives what `use` gives. Throws `usage`, `config_invalid` or a fault of the store. */
export async function withRecords<T>(
  options: RecordOptions,
  nowMs: number,
  use: (records: Records) => Promise<T>,
): Promise<T> {
  const { audit, state, config, since, verbose } = options;
  const fromMs = since === undefined ? undefined : nowMs - since;
  if (audit !== undefined) {
    const sessions: KnownSessions = new Map();
    return await use({ events: eventsOfFile(audit, fromMs, sessions), sessions });
  }
  if (state === undefined && config === undefined)
    throw new ProxyError('usage', 'which audit? name a file by --audit, or a gateway by --state or --config');
  const place = await gatewayOfOptions({ ...(state === undefined ? { config } : { state }), verbose });
  await using store = await openStoreToRead(place);
  const sessions = await knownSessions(store);
  return await use({ events: eventsOfPeriod(store.audit, { fromMs }), sessions, store });
}

async function* eventsOfFile(
  path: string,
  fromMs: number | undefined,
  sessions: KnownSessions,
): AsyncGenerator<AuditEvent> {
  for await (const event of readAuditFile(path)) {
    noteSession(sessions, event);
    if (fromMs === undefined || Date.parse(event.time) >= fromMs) yield event;
  }
}

/** Events of the store in the order of their time, read a page at a time when the one before was taken. */
export async function* eventsOfPeriod(
  audit: AuditStore,
  period: Pick<AuditPeriod, 'fromMs' | 'untilMs'>,
): AsyncGenerator<AuditEvent> {
  let behind: AuditPlace | undefined;
  do {
    const { events, next } = await audit.period({ ...period, behind, limit: pageEvents });
    yield* events;
    behind = next;
  } while (behind !== undefined);
}

/** Those of the store, and what events say of others: they are kept longer. */
async function knownSessions({ sessions, audit }: Store): Promise<SessionFacts> {
  const known: KnownSessions = new Map();
  let beforeId: string | undefined;
  do {
    const { events, next }: AuditPage = await audit.search({
      kind: 'session',
      limit: pageEvents,
      lookMax: pageEvents,
      ...(beforeId === undefined ? {} : { beforeId }),
    });
    for (const event of events) noteSession(known, event);
    beforeId = next;
  } while (beforeId !== undefined);
  await noteSessionsOfStore(known, sessions);
  return known;
}
