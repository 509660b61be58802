// The sums of the audit in PostgreSQL, whose row is the lock of all who add events or remove some; triggers keep them (postgres-schema.ts).

import type { AuditHeld } from '../store.ts';
import { integerOf, type StoredRow } from '../stored-row.ts';
import type { Statements } from './postgres-database.ts';

/** Whoever adds events or removes some has this first, so that none waits for another in a circle. */
export async function lockAudit(statements: Statements): Promise<AuditHeld> {
  return heldOf(await statements.get('SELECT events, bytes FROM audit_total FOR UPDATE'));
}

/** What the store holds of all. */
export async function auditHeld(statements: Statements): Promise<AuditHeld> {
  return heldOf(await statements.get('SELECT events, bytes FROM audit_total'));
}

export function heldOf(row: StoredRow = {}): AuditHeld {
  return { events: integerOf(row, 'events'), bytes: integerOf(row, 'bytes') };
}
