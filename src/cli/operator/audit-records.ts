// The recorded decisions that `policy learn` and `policy replay` look at, of a file or of the store of a gateway.

import type { AuditEvent } from '../../api/audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { AuditStore } from '../../store/store.ts';
import { readAuditFile } from './audit-file.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { openStoreToRead } from './operator-store.ts';
import type { SessionFacts } from './session-facts.ts';
import { sessionsOfEvents, sessionsOfStore } from './session-facts.ts';

/** Events that are read from the store at a time. */
const auditBatch = 10_000;

export interface RecordOptions {
  readonly audit?: string | undefined;
  readonly state?: string | undefined;
  readonly config?: string | undefined;
  /** Milliseconds before `nowMs`; absent: all that there is. */
  readonly since?: number | undefined;
}

export interface Records {
  readonly events: readonly AuditEvent[];
  readonly sessions: SessionFacts;
}

/** All of it is in memory, so `since` bounds that too. Throws `usage`, `config_invalid` or a fault of the store. */
export async function readRecords(options: RecordOptions, nowMs: number): Promise<Records> {
  const { audit, state, config, since } = options;
  const fromMs = since === undefined ? Number.NEGATIVE_INFINITY : nowMs - since;
  if (audit !== undefined) {
    const { events, enrolments } = await collect(readAuditFile(audit), fromMs);
    return { events, sessions: sessionsOfEvents(enrolments) };
  }
  if (state === undefined && config === undefined)
    throw new ProxyError('usage', 'which audit? name a file by --audit, or a gateway by --state or --config');
  const place = await gatewayOfOptions(state === undefined ? { config } : { state });
  await using store = await openStoreToRead(place);
  const { events, enrolments } = await collect(storedEvents(store.audit), fromMs);
  return {
    events,
    sessions: new Map([...sessionsOfEvents(enrolments), ...(await sessionsOfStore(store.sessions))]),
  };
}

async function* storedEvents(audit: AuditStore): AsyncGenerator<AuditEvent> {
  let sinceId: string | undefined;
  for (;;) {
    const batch = await audit.query({ limit: auditBatch, ...(sinceId === undefined ? {} : { sinceId }) });
    yield* batch;
    sinceId = batch.at(-1)?.id;
    if (batch.length < auditBatch) return;
  }
}

/** What a session is may have been said long before what it did. */
async function collect(
  source: AsyncIterable<AuditEvent>,
  fromMs: number,
): Promise<{ readonly events: readonly AuditEvent[]; readonly enrolments: readonly AuditEvent[] }> {
  const events: AuditEvent[] = [];
  const enrolments: AuditEvent[] = [];
  for await (const event of source) {
    if (event.action === 'enrolled') enrolments.push(event);
    if (fromMs === Number.NEGATIVE_INFINITY || Date.parse(event.time) >= fromMs) events.push(event);
  }
  return { events, enrolments };
}
