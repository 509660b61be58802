// The sums of the audit in PostgreSQL, whose row is the lock of all who add events or remove some; triggers keep them (postgres-schema.ts).

import type { AuditHeld } from '../store.ts';
import { integerOf, type StoredRow } from '../stored-row.ts';
import type { Statements } from './postgres-database.ts';
import { usesSetting } from './postgres-use-schema.ts';

/** Places of the audit, in the order of storing. */
export interface AuditPlaces {
  /** Where the day before the last one begins: what comes twice is as a rule behind it. */
  readonly recentFrom: number;
  /** Above all that will be stored now. */
  readonly recentTo: number;
}

/** Where events go, and what is said of them beside the sums. */
export interface AuditRoom extends AuditPlaces {
  /** The store counts uses: whoever has the lock does so for what it stores, and no trigger. */
  readonly countsUses: boolean;
}

export interface LockedAudit extends AuditHeld {
  readonly places: AuditRoom;
}

/** Whoever adds events or removes some has this first, so that none waits for another in a circle. */
export async function lockAudit(statements: Statements): Promise<LockedAudit> {
  const row =
    (await statements.get(
      `SELECT total.events, total.bytes, place.recent_from, place.recent_to,
         set_config('${usesSetting}', CASE WHEN to_regclass('audit_use') IS NULL THEN '' ELSE 'told' END, true) AS uses
       FROM audit_total AS total, audit_places() AS place FOR UPDATE OF total`,
    )) ?? {};
  return {
    ...heldOf(row),
    places: {
      recentFrom: integerOf(row, 'recent_from'),
      recentTo: integerOf(row, 'recent_to'),
      countsUses: row['uses'] === 'told',
    },
  };
}

/** What the store holds of all. */
export async function auditHeld(statements: Statements): Promise<AuditHeld> {
  return heldOf(await statements.get('SELECT events, bytes FROM audit_total'));
}

export function heldOf(row: StoredRow = {}): AuditHeld {
  return { events: integerOf(row, 'events'), bytes: integerOf(row, 'bytes') };
}
