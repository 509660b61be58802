// An event of the audit as it is stored, from its row.

import type { AuditEvent } from '../api/audit-event.ts';
import { readAuditEvent } from '../api/read-audit-event.ts';
import { damagedColumn, jsonOf, type StoredRow } from './stored-row.ts';

/** Stored by this version of the program or an earlier one. */
export function auditEventOf(row: StoredRow): AuditEvent {
  const event = readAuditEvent(jsonOf(row, 'event'));
  if (event === undefined) throw damagedColumn('event');
  return event;
}
