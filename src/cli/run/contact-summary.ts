// What a command contacted, in few lines, for the end of a run that observed.

import type { AuditEvent } from '../../api/audit-event.ts';
import { accessHost } from '../../policy/granted-policy.ts';
import { printableText } from '../terminal/text-table.ts';

const hostsShown = 20;

interface Contact {
  readonly name: string;
  readonly methods: Set<string>;
  allowed: number;
  refused: number;
  /** Of those that were refused: raw TCP, for want of a rule. */
  raw: number;
  failed: number;
}

function contacts(events: Iterable<AuditEvent>): readonly Contact[] {
  const byName = new Map<string, Contact>();
  for (const event of events) {
    if ((event.kind !== 'exchange' && event.kind !== 'stream') || event.host === undefined) continue;
    // Served by the gateway itself, which no policy has to allow.
    if (event.host === accessHost) continue;
    const port = event.port === 443 || event.port === 80 ? '' : `:${event.port ?? '?'}`;
    const name = printableText(`${event.scheme ?? 'tcp'}://${event.host}${port}`);
    const contact = byName.get(name) ?? {
      name,
      methods: new Set(),
      allowed: 0,
      refused: 0,
      raw: 0,
      failed: 0,
    };
    if (event.method !== undefined) contact.methods.add(event.method);
    if (event.verdict === 'allow' || event.decided === 'allow') contact.allowed += 1;
    else if (event.verdict !== 'deny') contact.failed += 1;
    else {
      contact.refused += 1;
      if (event.errorCode === 'protocol_denied') contact.raw += 1;
    }
    byName.set(name, contact);
  }
  return [...byName.values()].sort((a, b) => total(b) - total(a));
}

const total = ({ allowed, refused, failed }: Contact): number => allowed + refused + failed;

/** `learn` proposes rules for what was allowed, and for raw TCP, which needs one: more must not be promised. */
function learnLines(all: readonly Contact[], learnCommand: string): string {
  if (all.every(({ allowed, raw }) => allowed + raw === 0)) return '';
  const isAll = all.every(({ refused, raw, failed }) => refused === raw && failed === 0);
  const what = isAll ? 'To allow just this' : 'To allow this, without what was refused or failed';
  return `${what}:\n  ${learnCommand}\n`;
}

/** The lines to print; empty if nothing was contacted. `learnCommand` is how to make a policy of it. */
export function contactSummary(events: Iterable<AuditEvent>, learnCommand: string): string {
  const all = contacts(events);
  if (all.length === 0) return '';
  const shown = all.slice(0, hostsShown);
  const width = Math.max(...shown.map(({ name }) => name.length));
  const lines = shown.map(({ name, methods, allowed, refused, failed }) => {
    const counts = [
      allowed > 0 ? `${allowed} allowed` : '',
      refused > 0 ? `${refused} refused` : '',
      failed > 0 ? `${failed} failed` : '',
    ].filter(Boolean);
    return `  ${name.padEnd(width)}  ${printableText([...methods].sort().join(',')) || '-'}  ${counts.join(', ')}\n`;
  });
  const more = all.length > shown.length ? `  and ${all.length - shown.length} more\n` : '';
  return `upstreamproxy: no policy was given, so this run was observed. It contacted:\n${lines.join('')}${more}${learnLines(all, learnCommand)}`;
}
