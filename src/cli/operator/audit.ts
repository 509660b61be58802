// `upstreamproxy audit`: what went through the gateway, from its store.

import { setTimeout as delay } from 'node:timers/promises';

import type { AuditEvent } from '../../api/audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { AuditPage } from '../../store/audit-search.ts';
import type { AuditFilter } from '../../store/audit-statement.ts';
import type { AuditStore } from '../../store/store.ts';
import { auditDefinition } from '../commands/audit-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { exportCommand } from './audit-export.ts';
import { verifyCommand } from './audit-verify.ts';
import { exchangeTable } from './exchange-table.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { openStoreToRead } from './operator-store.ts';
import { jsonLine } from '../terminal/text-table.ts';

const followIntervalMs = 500;
const followBatch = 1_000;
/** Events that are looked at by one question to the store. */
const lookBatch = 10_000;

async function follow(
  audit: AuditStore,
  { sessionId, verdict }: AuditFilter,
  last: string | undefined,
  print: (events: readonly AuditEvent[]) => void,
): Promise<never> {
  const filter = {
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(verdict === undefined ? {} : { verdict }),
  };
  let sinceId = last;
  for (;;) {
    const events = await audit.query({
      ...filter,
      limit: followBatch,
      ...(sinceId === undefined ? {} : { sinceId }),
    });
    print(events);
    sinceId = events.at(-1)?.id ?? sinceId;
    if (events.length < followBatch) await delay(followIntervalMs);
  }
}

/** The newest that fit, the oldest of them first. */
async function newestEvents(
  audit: AuditStore,
  filter: AuditFilter,
  limit: number,
): Promise<readonly AuditEvent[]> {
  const events: AuditEvent[] = [];
  let beforeId: string | undefined;
  do {
    const page: AuditPage = await audit.search({
      ...filter,
      limit: limit - events.length,
      lookMax: lookBatch,
      ...(beforeId === undefined ? {} : { beforeId }),
    });
    events.push(...page.events);
    beforeId = page.next;
  } while (beforeId !== undefined && events.length < limit);
  return events.toReversed();
}

type TailOptions = Input<(typeof auditDefinition)['actions'][0]>['options'];

/** What the store is asked for. Throws `usage`. */
function filterOf({ session, denied, since, trace, host }: TailOptions, nowMs: number): AuditFilter {
  if (trace !== undefined && !/^[0-9a-f]{4,32}$/.test(trace))
    throw new ProxyError('usage', `--trace ${trace} is no trace id, nor its first four hex digits or more`);
  return {
    ...(session === undefined ? {} : { sessionId: session }),
    ...(denied ? { verdict: 'deny' } : {}),
    ...(since === undefined ? {} : { fromMs: nowMs - since }),
    ...(trace === undefined ? {} : { trace }),
    ...(host === undefined ? {} : { host: host.toLowerCase() }),
  };
}

/** The same of what comes, beside what the store is asked for then. */
function isWanted({ fromMs, trace, host }: AuditFilter, event: AuditEvent): boolean {
  return (
    (fromMs === undefined || Date.parse(event.time) >= fromMs) &&
    (trace === undefined || event.traceId.startsWith(trace)) &&
    (host === undefined ||
      event.host === host ||
      (host.startsWith('.') && event.host?.endsWith(host) === true))
  );
}

async function tail({ options: values }: Input<(typeof auditDefinition)['actions'][0]>): Promise<number> {
  const filter = filterOf(values, Date.now());
  const config = await gatewayOfOptions(values);
  const print = (events: readonly AuditEvent[], title = false): void => {
    const text = values.json ? events.map(jsonLine).join('') : exchangeTable(events, { title });
    process.stdout.write(text);
  };
  await using store = await openStoreToRead(config);
  // Before what is printed is looked for: what is stored meanwhile comes by following, and is not printed twice.
  const [last] = values.follow ? await store.audit.query({ limit: 1, order: 'newest' }) : [];
  const events = await newestEvents(store.audit, filter, values.number);
  print(events, true);
  const printed = new Set(events.map(({ id }) => id));
  const printMore = (more: readonly AuditEvent[]): void =>
    print(more.filter((event) => !printed.has(event.id) && isWanted(filter, event)));
  if (values.follow) await follow(store.audit, filter, last?.id, printMore);
  return 0;
}

export const auditCommand = groupOf(auditDefinition, { tail, export: exportCommand, verify: verifyCommand });
