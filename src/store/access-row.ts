// A request for access as it is stored, from its row.

import type { AccessRecord, AccessState, AccessTerms } from './access-store.ts';
import { integerOf, type StoredRow, textOf } from './stored-row.ts';

const states: readonly AccessState[] = ['pending', 'granted', 'denied', 'revoked', 'ended'];

/** The columns have the same names in every engine. */
export function accessRecordOf(row: StoredRow): AccessRecord {
  const optional = <Name extends string>(name: Name, column: string): { readonly [K in Name]?: string } =>
    // A computed name widens to string; the shape is that of the parameter.
    (row[column] === null ? {} : { [name]: textOf(row, column) }) as { readonly [K in Name]?: string };
  return {
    id: textOf(row, 'id'),
    sessionId: textOf(row, 'session_id'),
    principalId: textOf(row, 'principal_id'),
    scheme: row['scheme'] === 'http' ? 'http' : 'https',
    host: textOf(row, 'host'),
    port: integerOf(row, 'port'),
    ...optional('method', 'method'),
    ...optional('path', 'path'),
    reason: textOf(row, 'reason'),
    ...optional('traceId', 'trace_id'),
    // The table's CHECK lets in no other state; an unknown one grants nothing.
    state: states.find((state) => state === row['state']) ?? 'ended',
    createdMs: integerOf(row, 'created_ms'),
    pendingUntilMs: integerOf(row, 'pending_until_ms'),
    ...optional('note', 'note'),
    ...(row['decided_ms'] === null ? {} : { decidedMs: integerOf(row, 'decided_ms') }),
    ...termsOf(row),
  };
}

/**
 * When a grant ends. One for refs has its end in a column of its own: a program that knows no refs would take it for one that opens
 * everything, finds none in `ends_ms`, and lets it be.
 */
export const grantEnds = 'coalesce(refs_ends_ms, ends_ms)';

function termsOf(row: StoredRow): { readonly terms?: AccessTerms } {
  const { scope, subject } = row;
  const column = (row['refs_ends_ms'] ?? null) === null ? 'ends_ms' : 'refs_ends_ms';
  if (row[column] === null) return {};
  const terms = {
    // Unknown words mean the narrowest.
    scope: scope === 'host' || scope === 'path' ? scope : 'exact',
    subject: subject === 'principal' ? 'principal' : 'session',
    ...(row['refs'] === null || row['refs'] === undefined ? {} : { refs: refsOf(textOf(row, 'refs')) }),
    endsMs: integerOf(row, column),
  } as const;
  return { terms };
}

/** What is no list of texts names no ref, so that nothing is opened by it. */
function refsOf(text: string): readonly string[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((ref) => typeof ref === 'string') ? value : [];
  } catch {
    return [];
  }
}

/** Columns in which a grant for refs differs from another. */
export function endColumns({ refs, endsMs }: AccessTerms): {
  readonly endsMs: number | null;
  readonly refs: string | null;
  readonly refsEndsMs: number | null;
} {
  if (refs === undefined) return { endsMs, refs: null, refsEndsMs: null };
  return { endsMs: null, refs: JSON.stringify(refs), refsEndsMs: endsMs };
}
