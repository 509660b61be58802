// `upstreamproxy audit`: what went through the gateway, from its store.

import { setTimeout as delay } from 'node:timers/promises';

import type { AuditEvent } from '../../api/audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import { auditDefinition } from '../commands/audit-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { quoted } from '../definition/option-value.ts';
import { groupOf } from '../terminal/command.ts';
import { bodyCommand } from './audit-body.ts';
import { exportCommand } from './audit-export.ts';
import { verifyCommand } from './audit-verify.ts';
import { exchangeTable } from './exchange-table.ts';
import { jsonLine } from '../terminal/text-table.ts';
import type { EventPage, EventsAsked, OperatorBackend } from './operator-backend.ts';
import { openOperatorBackend } from './operator-place.ts';

const followIntervalMs = 500;
const followBatch = 1_000;

async function follow(
  backend: OperatorBackend,
  { sessionId, verdict }: EventsAsked,
  last: string | undefined,
  print: (events: readonly AuditEvent[]) => void,
): Promise<never> {
  const filter = {
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(verdict === undefined ? {} : { verdict }),
  };
  let sinceId = last;
  for (;;) {
    const events = await backend.eventsBehind(filter, sinceId, followBatch);
    print(events);
    sinceId = events.at(-1)?.id ?? sinceId;
    if (events.length < followBatch) await delay(followIntervalMs);
  }
}

/** The newest that fit, the oldest of them first. */
async function newestEvents(
  backend: OperatorBackend,
  filter: EventsAsked,
  limit: number,
): Promise<readonly AuditEvent[]> {
  const events: AuditEvent[] = [];
  let before: string | undefined;
  do {
    const page: EventPage = await backend.events(filter, limit - events.length, before);
    events.push(...page.events);
    before = page.next;
  } while (before !== undefined && events.length < limit);
  return events.toReversed();
}

type TailOptions = Input<(typeof auditDefinition)['actions'][0]>['options'];

/** What the store is asked for. Throws `usage`. */
function filterOf({ session, denied, since, trace, host }: TailOptions, nowMs: number): EventsAsked {
  if (trace !== undefined && !/^[0-9a-f]{4,32}$/.test(trace))
    throw new ProxyError(
      'usage',
      `--trace takes a trace id, or its first four hexadecimal digits or more, not ${quoted(trace)}`,
    );
  return {
    ...(session === undefined ? {} : { sessionId: session }),
    ...(denied ? { verdict: 'deny' } : {}),
    ...(since === undefined ? {} : { fromMs: nowMs - since }),
    ...(trace === undefined ? {} : { trace }),
    ...(host === undefined ? {} : { host: host.toLowerCase() }),
  };
}

/** The same of what comes, beside what the store is asked for then. */
function isWanted({ fromMs, trace, host }: EventsAsked, event: AuditEvent): boolean {
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
  const print = (events: readonly AuditEvent[], title = false): void => {
    const text = values.json ? events.map(jsonLine).join('') : exchangeTable(events, { title });
    process.stdout.write(text);
  };
  await using backend = await openOperatorBackend(values, 'read');
  // Before what is printed is looked for: what is stored meanwhile comes by following, and is not printed twice.
  const [last] = values.follow ? (await backend.events({}, 1, undefined)).events : [];
  const events = await newestEvents(backend, filter, values.number);
  print(events, true);
  const printed = new Set(events.map(({ id }) => id));
  const printMore = (more: readonly AuditEvent[]): void =>
    print(more.filter((event) => !printed.has(event.id) && isWanted(filter, event)));
  if (values.follow) await follow(backend, filter, last?.id, printMore);
  return 0;
}

export const auditCommand = groupOf(auditDefinition, {
  tail,
  export: exportCommand,
  verify: verifyCommand,
  body: bodyCommand,
});
