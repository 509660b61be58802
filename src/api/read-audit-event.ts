// Events as they are read: those of earlier versions become events of this one.

import { auditEventVersion } from './audit-event-version.ts';
import type { AuditEvent } from './audit-event.ts';

/**
 * The event of a JSON value that a gateway wrote, in the form of this version. Undefined for what is no event. One of a later version is
 * given as it is: `isOfLaterVersion` tells, and nothing may be concluded from its fields.
 */
export function readAuditEvent(value: unknown): AuditEvent | undefined {
  if (typeof value !== 'object' || value === null || !('id' in value) || !('kind' in value)) return undefined;
  // Written by a gateway from an AuditEvent; the two fields tell it from other JSON.
  const stored = value as Omit<AuditEvent, 'v'> & { readonly v?: AuditEvent['v'] };
  if (stored.v !== undefined) return stored as AuditEvent;
  // Version 0 had the same fields, and no times.
  return { v: auditEventVersion, ...stored };
}

/** Whether a newer program wrote it: a field may mean something else there. */
export function isOfLaterVersion({ v }: { readonly v: number }): boolean {
  return v > auditEventVersion;
}
