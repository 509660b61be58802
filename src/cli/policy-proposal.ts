// Turns what was seen into a policy that allows just that.

import { stringify } from 'yaml';

import type { AuditEvent } from '../api/audit-event.ts';

interface Seen {
  readonly scheme: string;
  readonly port: number;
  readonly methods: Set<string>;
  readonly hosts: Set<string>;
  count: number;
}

const standardPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** What an exchange needs to be proposed: it was an HTTP request that an origin answered. */
function isWanted(event: AuditEvent): boolean {
  return (
    event.kind === 'exchange' &&
    event.verdict === 'allow' &&
    event.host !== undefined &&
    event.method !== undefined
  );
}

/**
 * A policy in YAML with one rule for each host that answered: its scheme, port and methods, most used first.
 * Denied and failed exchanges are left out. The text is deterministic: it has no time in it.
 */
export function proposePolicy(events: Iterable<AuditEvent>): string {
  const seen = new Map<string, Seen>();
  for (const event of events) {
    if (!isWanted(event)) continue;
    const [scheme, host] = [event.scheme ?? 'https', event.host ?? ''];
    const port = event.port ?? standardPorts[scheme] ?? 443;
    const key = `${scheme} ${host} ${port}`;
    const entry = seen.get(key) ?? { scheme, port, methods: new Set(), hosts: new Set([host]), count: 0 };
    entry.methods.add(event.method ?? 'GET');
    entry.count += 1;
    seen.set(key, entry);
  }
  const entries = [...seen.values()].sort((a, b) => b.count - a.count || hostOf(a).localeCompare(hostOf(b)));
  if (entries.length === 0) return '# Nothing was contacted, so nothing is allowed.\nrules: []\n';
  const lines = ['# Allows what was contacted; everything else is denied.\n', 'rules:\n'];
  for (const entry of entries) {
    lines.push(`  # ${entry.count} ${entry.count === 1 ? 'request' : 'requests'}\n`, ruleText(entry));
  }
  return lines.join('');
}

function hostOf(entry: Seen): string {
  return [...entry.hosts][0] ?? '';
}

function ruleText(entry: Seen): string {
  const name = `${hostOf(entry).replaceAll(/[^a-z0-9]+/g, '-')}${entry.scheme === 'https' ? '' : `-${entry.scheme}`}${
    entry.port === standardPorts[entry.scheme] ? '' : `-${entry.port}`
  }`;
  const rule = {
    name,
    hosts: [...entry.hosts],
    ...(entry.scheme === 'https' ? {} : { scheme: entry.scheme }),
    ...(entry.port === standardPorts[entry.scheme] ? {} : { ports: [entry.port] }),
    methods: [...entry.methods].sort(),
  };
  return stringify([rule], { lineWidth: 110 })
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}\n`))
    .join('');
}
