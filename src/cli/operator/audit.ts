// `upstreamproxy audit tail`: what went through the gateway, from its store.

import { setTimeout as delay } from 'node:timers/promises';

import type { AuditEvent } from '../../api/audit-event.ts';
import type { AuditQuery, AuditStore } from '../../store/store.ts';
import { auditDefinition } from '../commands/audit-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { exchangeTable } from './exchange-table.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { openStoreToRead } from './operator-store.ts';
import { jsonLine } from '../terminal/text-table.ts';

const followIntervalMs = 500;
const followBatch = 1_000;
/** Events that are looked at by one question to the store. */
const scanBatch = 10_000;

type Filter = Pick<AuditQuery, 'sessionId' | 'verdict'>;

async function follow(
  audit: AuditStore,
  filter: Filter,
  last: string | undefined,
  print: (events: readonly AuditEvent[]) => void,
): Promise<never> {
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

type Wanted = (event: AuditEvent) => boolean;

interface Tail {
  readonly events: readonly AuditEvent[];
  /** Of the last that was looked at. */
  readonly lastId: string | undefined;
}

async function newestEvents(audit: AuditStore, filter: Filter, limit: number): Promise<Tail> {
  const events = (await audit.query({ ...filter, limit, order: 'newest' })).toReversed();
  return { events, lastId: events.at(-1)?.id };
}

/** The store knows neither trace nor host: all of it is looked at, and no more is kept than is printed. */
async function matchingEvents(
  audit: AuditStore,
  filter: Filter,
  { wanted, limit }: { readonly wanted: Wanted; readonly limit: number },
): Promise<Tail> {
  let events: readonly AuditEvent[] = [];
  let lastId: string | undefined;
  for (;;) {
    const batch = await audit.query({
      ...filter,
      limit: scanBatch,
      ...(lastId === undefined ? {} : { sinceId: lastId }),
    });
    events = [...events, ...batch.filter(wanted)].slice(-limit);
    lastId = batch.at(-1)?.id ?? lastId;
    if (batch.length < scanBatch) return { events, lastId };
  }
}

/** Undefined: whatever there is. */
function wantedBy({ since, trace, host }: TailInput['options'], nowMs: number): Wanted | undefined {
  if (since === undefined && trace === undefined && host === undefined) return undefined;
  const fromMs = since === undefined ? Number.NEGATIVE_INFINITY : nowMs - since;
  const name = host?.toLowerCase();
  const isOfHost = (found: string | undefined): boolean =>
    name === undefined || found === name || (name.startsWith('.') && found?.endsWith(name) === true);
  return (event) =>
    Date.parse(event.time) >= fromMs &&
    (trace === undefined || event.traceId.startsWith(trace)) &&
    isOfHost(event.host);
}

type TailInput = Input<(typeof auditDefinition)['actions'][0]>;

async function tail({ options: values }: TailInput): Promise<number> {
  const config = await gatewayOfOptions(values);
  const limit = values.number;
  const filter: Filter = {
    ...(values.session === undefined ? {} : { sessionId: values.session }),
    ...(values.denied ? { verdict: 'deny' as const } : {}),
  };
  const print = (events: readonly AuditEvent[], title = false): void => {
    const text = values.json ? events.map(jsonLine).join('') : exchangeTable(events, { title });
    process.stdout.write(text);
  };
  await using store = await openStoreToRead(config);
  const wanted = wantedBy(values, Date.now());
  const { events, lastId } =
    wanted === undefined
      ? await newestEvents(store.audit, filter, limit)
      : await matchingEvents(store.audit, filter, { wanted, limit });
  print(events, true);
  const printWanted = (more: readonly AuditEvent[]): void =>
    print(wanted === undefined ? more : more.filter(wanted));
  if (values.follow) await follow(store.audit, filter, lastId, printWanted);
  return 0;
}

export const auditCommand = groupOf(auditDefinition, { tail });
