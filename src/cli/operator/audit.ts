// `upstreamproxy audit tail`: what went through the gateway, from its store.

import { setTimeout as delay } from 'node:timers/promises';

import type { AuditEvent } from '../../api/audit-event.ts';
import { openStore } from '../../store/open-store.ts';
import type { AuditQuery, AuditStore } from '../../store/store.ts';
import { auditDefinition } from '../commands/audit-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { exchangeTable } from './exchange-table.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { jsonLine } from '../terminal/text-table.ts';

const followIntervalMs = 500;
const followBatch = 1_000;

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
  await using store = await openStore(config.store);
  const newest = await store.audit.query({ ...filter, limit, order: 'newest' });
  const events = newest.toReversed();
  print(events, true);
  if (values.follow) await follow(store.audit, filter, events.at(-1)?.id, print);
  return 0;
}

export const auditCommand = groupOf(auditDefinition, { tail });
