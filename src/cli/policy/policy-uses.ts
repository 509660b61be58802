// `policy uses`: how often rules and credentials were used, over all gateways on the store.

import { defaultLimits } from '../../protocol/limits.ts';
import { grantRulePrefix, type UseRecord } from '../../store/use-store.ts';
import { hourMs, type UseKind } from '../../store/uses/event-uses.ts';
import type { usesDefinition } from '../commands/policy-uses-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { gatewayOfOptions } from '../gateway/gateway-configuration.ts';
import { openStoreToRead } from '../operator/operator-store.ts';
import { openConnection } from '../operator/operator-place.ts';
import { tableStyle } from '../terminal/table-style.ts';
import { jsonLine, textTable } from '../terminal/text-table.ts';

type UsesInput = Input<typeof usesDefinition>;

interface ShownUse {
  readonly name: string;
  readonly policy?: string | undefined;
  readonly uses: number;
  readonly lastUsed: string;
  readonly recent: Readonly<Record<'allowed' | 'denied' | 'failed', number>>;
  readonly lastFailure?: {
    readonly time: string;
    readonly code: string;
    readonly trace?: string | undefined;
  };
}

interface Found {
  /** Undefined where the store does not count yet. */
  readonly since?: string | undefined;
  readonly items: readonly ShownUse[];
}

export async function uses({ options }: UsesInput): Promise<number> {
  const { kind, json } = options;
  const { since, items } = await usesOf(options, kind);
  if (json) {
    for (const item of items) process.stdout.write(jsonLine(item));
    return 0;
  }
  const title = [
    'name',
    'policy',
    'used',
    'last used',
    'allowed in 24 h',
    'denied',
    'failed',
    'last failure',
  ];
  process.stdout.write(textTable([title, ...items.map(rowOf)], tableStyle({ hasTitle: true })));
  const from = since === undefined ? 'The store does not count yet.' : `Counted since ${withoutMs(since)}.`;
  process.stderr.write(`upstreamproxy: ${from} What is not listed was not used since.\n`);
  return 0;
}

async function usesOf(options: UsesInput['options'], kind: UsesInput['options']['kind']): Promise<Found> {
  const connection = await openConnection(options);
  if (connection !== undefined) {
    await using _ = connection;
    return await connection.ask('uses', { query: { kind } });
  }
  await using store = await openStoreToRead(await gatewayOfOptions(options));
  const fromMs = Date.now() - 24 * hourMs;
  const page = await store.uses.read({
    kind: kind satisfies UseKind,
    fromMs,
    limit: defaultLimits.adminUsesMax,
  });
  return { since: page && isoTime(page.sinceMs), items: (page?.items ?? []).map(shownUse) };
}

function shownUse({ name, policy, uses: count, lastMs, recent, failure }: UseRecord): ShownUse {
  return {
    name,
    ...(policy === '' ? {} : { policy }),
    uses: count,
    lastUsed: isoTime(lastMs),
    recent,
    ...(failure === undefined
      ? {}
      : { lastFailure: { time: isoTime(failure.ms), code: failure.code, trace: failure.trace } }),
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function rowOf({ name, policy = '-', uses: count, lastUsed, recent, lastFailure }: ShownUse): string[] {
  const { allowed, denied, failed } = recent;
  const failure = lastFailure === undefined ? '-' : `${lastFailure.code} at ${withoutMs(lastFailure.time)}`;
  const shown = name.startsWith(grantRulePrefix) ? `grant ${name.slice(grantRulePrefix.length)}` : name;
  return [
    shown,
    policy,
    ...[count].map(String),
    withoutMs(lastUsed),
    ...[allowed, denied, failed].map(String),
    failure,
  ];
}

function withoutMs(time: string): string {
  return time.replace(/\.\d{3}Z$/, 'Z');
}
