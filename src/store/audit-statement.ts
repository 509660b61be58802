// Parts of statements that look for events: which index leads, and what is looked at in its rows. The same for every engine.

import type { AuditEvent } from '../api/audit-event.ts';

/** What events are looked for by; all that is given must fit. */
export interface AuditFilter {
  readonly sessionId?: string;
  readonly principal?: string;
  /** One host; with a dot in front, all hosts below it. */
  readonly host?: string;
  /** The beginning of a trace id, of at least four digits. */
  readonly trace?: string;
  readonly verdict?: AuditEvent['verdict'];
  readonly kind?: AuditEvent['kind'];
  /** Not of an earlier time. */
  readonly fromMs?: number;
}

export type Value = string | number | readonly string[] | readonly number[];

/** Text of SQL with a `?` for each value. */
export interface Part {
  readonly text: string;
  readonly values: readonly Value[];
}

/** Above every place. */
export const noPlace = Number.MAX_SAFE_INTEGER;

export interface Range {
  /** Only places below. */
  readonly below: number;
  /** Only places above: at or before it nothing is late enough. */
  readonly above: number;
}

/** Which index leads: rows of one value of a column, in the order of storing. Without a column it is the table itself. */
export interface Lead {
  readonly column?: string;
  readonly value: string;
  /** What the index is about, in its words. */
  readonly of: string;
}

const everything: Lead = { value: '', of: 'sequence > 0' };

/** What narrows most leads; the filter without it is left. */
export function leadOf(filter: AuditFilter): { readonly lead: Lead; readonly others: AuditFilter } {
  const { sessionId, host, principal, verdict, kind } = filter;
  const by = (name: keyof AuditFilter, lead: Lead): { readonly lead: Lead; readonly others: AuditFilter } => {
    const { [name]: _, ...others } = filter;
    return { lead, others };
  };
  if (sessionId !== undefined)
    return by('sessionId', { column: 'session_id', value: sessionId, of: 'session_id IS NOT NULL' });
  if (host !== undefined && !host.startsWith('.')) {
    const isRefused = verdict !== undefined && verdict !== 'allow';
    return by('host', {
      column: 'host',
      value: host,
      of: isRefused ? `verdict <> 'allow'` : 'host IS NOT NULL',
    });
  }
  if (principal !== undefined)
    return by('principal', { column: 'principal', value: principal, of: 'principal IS NOT NULL' });
  if (verdict !== undefined && verdict !== 'allow')
    return by('verdict', { column: 'verdict', value: verdict, of: `verdict <> 'allow'` });
  if (kind !== undefined && kind !== 'exchange')
    return by('kind', { column: 'kind', value: kind, of: `kind <> 'exchange'` });
  return { lead: everything, others: filter };
}

/**
 * Between two places of the index, in its order. An equality beside an order by sequence would let PostgreSQL read the table in that
 * order: by a plan that knows no value, a rare host is then looked for in all of it.
 */
export function within({ column, value, of }: Lead, { below, above }: Range): readonly Part[] {
  if (column === undefined) return [part('sequence < ?', below), part('sequence > ?', above)];
  return [
    part(of),
    part(`(${column}, sequence) < (?, ?)`, value, below),
    part(`(${column}, sequence) > (?, ?)`, value, above),
  ];
}

export function inOrder({ column }: Lead, order: 'oldest' | 'newest'): string {
  const direction = order === 'newest' ? ' DESC' : '';
  return `ORDER BY ${column === undefined ? '' : `${column}${direction}, `}sequence${direction}`;
}

/** Conditions that are looked at in each row: written so that no index serves them, which would give another order. */
export function restOf({ sessionId, host, principal, verdict, kind }: AuditFilter): readonly Part[] {
  const equal = { session_id: sessionId, principal, verdict, kind };
  return [
    ...Object.entries(equal).flatMap(([column, value]) =>
      value === undefined ? [] : [part(`${column} || '' = ?`, value)],
    ),
    ...(host === undefined
      ? []
      : host.startsWith('.')
        ? [part('substr(host, length(host) - ? + 1) = ?', host.length, host)]
        : [part(`host || '' = ?`, host)]),
  ];
}

export function part(text: string, ...values: readonly Value[]): Part {
  return { text, values };
}

export function and(parts: readonly Part[]): Part {
  return { text: parts.map(({ text }) => text).join(' AND '), values: parts.flatMap(({ values }) => values) };
}
