// Rows of the audit in PostgreSQL, many at a time.

import type { AuditEntry } from '../store.ts';
import { integerOf } from '../stored-row.ts';
import { UseTally } from '../uses/event-uses.ts';
import type { AuditRoom } from './postgres-audit-lock.ts';
import type { Statements } from './postgres-database.ts';
import { putUses } from './postgres-uses.ts';

/** The events that exchanges leave if nothing more is heard of them; `holder` is who would tell. */
export async function putMarkers(
  statements: Statements,
  open: readonly AuditEntry[],
  holder: string,
): Promise<void> {
  // One statement changes a row once: the last word on an exchange counts. In the order of the key, as any other that changes several.
  const markers = [...new Map(open.map((entry) => [entry.id, entry])).values()];
  await statements.run(
    `INSERT INTO audit_open (id, holder, event)
     SELECT id, $1, event FROM unnest($2::text[], $3::text[]) AS marker (id, event) ORDER BY id
     ON CONFLICT (id) DO UPDATE SET event = excluded.event`,
    [holder, markers.map(({ id }) => id), markers.map(({ json }) => json)],
  );
}

/** An event, and where it stands in a chain. */
export interface LinkedEntry {
  readonly entry: AuditEntry;
  /** `before` base64url. */
  readonly place?: { readonly number: number; readonly link: number; readonly before: string };
}

/**
 * A batch whose outcome was uncertain is appended again, so the same id twice is one event. An index of each day says so of that one, and a
 * look into that of the day before of both. A trigger keeps the sums. What is stored is counted. Gives how many were stored, and the last place.
 */
export async function putEvents(
  statements: Statements,
  linked: readonly LinkedEntry[],
  { recentFrom, recentTo, countsUses }: AuditRoom,
): Promise<{ readonly count: number; readonly sequence: number }> {
  const entries = linked.map(({ entry }) => entry);
  const events = entries.map(({ json }) => membersOf(json));
  const found = events.map(foundBy);
  const row = await statements.get(
    `WITH stored AS (
       INSERT INTO audit (id, time_ms, session_id, verdict, kind, event, host, principal, trace, chain, link, link_before)
       SELECT id, time_ms, session_id, verdict, kind, event, host, principal, trace, chain, link, link_before
       FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
           $10::bigint[], $11::bigint[], $12::text[])
         WITH ORDINALITY AS entry (id, time_ms, session_id, verdict, kind, event, host, principal, trace, chain, link, link_before, place)
       WHERE (SELECT 1 FROM audit AS known WHERE known.id = entry.id AND known.sequence >= $13 AND known.sequence < $14 LIMIT 1) IS NULL
       ORDER BY place
       ON CONFLICT DO NOTHING RETURNING sequence, id)
     SELECT count(*) AS count, coalesce(max(sequence), 0) AS sequence,
       CASE WHEN count(*) < $15 THEN coalesce(json_agg(id), '[]')::text END AS ids FROM stored`,
    [
      entries.map(({ id }) => id),
      entries.map(({ timeMs }) => timeMs),
      entries.map(({ sessionId }) => sessionId ?? null),
      entries.map(({ verdict }) => verdict),
      entries.map(({ kind }) => kind),
      entries.map(({ json }) => json),
      found.map(({ host }) => host),
      found.map(({ principal }) => principal),
      found.map(({ trace }) => trace),
      linked.map(({ place }) => place?.number ?? null),
      linked.map(({ place }) => place?.link ?? null),
      linked.map(({ place }) => place?.before ?? null),
      recentFrom,
      recentTo,
      entries.length,
    ],
  );
  if (countsUses) await putUses(statements, tallyOf(entries, events, row?.['ids']));
  return { count: integerOf(row ?? {}, 'count'), sequence: integerOf(row ?? {}, 'sequence') };
}

type Members = Readonly<Record<string, unknown>>;

function membersOf(json: string): Members {
  const event: unknown = JSON.parse(json);
  // Only looked into, each field by its type.
  return (event ?? {}) as Members;
}

/** `ids`: JSON of those that were stored, where that is not all. Each of these is there once. */
function tallyOf(entries: readonly AuditEntry[], events: readonly Members[], ids: unknown): UseTally {
  const stored = typeof ids === 'string' ? new Set<unknown>(JSON.parse(ids)) : undefined;
  const tally = new UseTally(Date.now());
  for (const [at, entry] of entries.entries())
    if (stored?.delete(entry.id) ?? true) tally.add(entry, events[at] ?? {});
  return tally;
}

/** What an event is found by beside the facts of its entry: columns of their own. */
function foundBy({
  host,
  principal,
  traceId,
}: Members): Readonly<Record<'host' | 'principal' | 'trace', string | null>> {
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return { host: text(host), principal: text(principal), trace: text(traceId) ?? '' };
}
