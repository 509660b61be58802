// `upstreamproxy audit tail`: what went through the gateway, from its store.

import { setTimeout as delay } from 'node:timers/promises';

import type { AuditEvent } from '../../api/audit-event.ts';
import { openStore } from '../../store/open-store.ts';
import type { AuditQuery, AuditStore } from '../../store/store.ts';
import { ProxyError } from '../../protocol/error.ts';
import { numberOption, parseOptions, type Command } from '../terminal/command.ts';
import { exchangeTable } from './exchange-table.ts';
import {
  gatewayOfOptions,
  gatewayPlaceOptions,
  gatewayPlaceUsage,
} from '../gateway/gateway-configuration.ts';
import { jsonLine } from '../terminal/text-table.ts';

const usage = `upstreamproxy audit tail --config FILE [options]

Prints the last events: exchanges, streams, sessions and alarms.

${gatewayPlaceUsage}  -n, --number N        how many; default 20
  -f, --follow          goes on with what comes
  --session ID          of one session only
  --denied              refused ones only
  --json                JSON lines with all fields
`;

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

async function audit(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('audit', args, {
    ...gatewayPlaceOptions,
    number: { type: 'string', short: 'n' },
    follow: { type: 'boolean', short: 'f' },
    session: { type: 'string' },
    denied: { type: 'boolean' },
    json: { type: 'boolean' },
  });
  if (positionals.join(' ') !== 'tail')
    throw new ProxyError('usage', 'what about the audit? upstreamproxy audit tail');
  const config = await gatewayOfOptions(values);
  const limit = numberOption('number', values.number, { min: 1, max: 100_000, otherwise: 20 });
  const filter: Filter = {
    ...(values.session === undefined ? {} : { sessionId: values.session }),
    ...(values.denied === true ? { verdict: 'deny' as const } : {}),
  };
  const print = (events: readonly AuditEvent[], title = false): void => {
    const text = values.json === true ? events.map(jsonLine).join('') : exchangeTable(events, { title });
    process.stdout.write(text);
  };
  await using store = await openStore(config.store);
  const newest = await store.audit.query({ ...filter, limit, order: 'newest' });
  const events = newest.toReversed();
  print(events, true);
  if (values.follow === true) await follow(store.audit, filter, events.at(-1)?.id, print);
  return 0;
}

export const auditCommand: Command = { usage, run: audit };
