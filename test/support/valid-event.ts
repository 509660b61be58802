// Events that a test sees are held against the schema, and have no field that it does not know.

import assert from 'node:assert/strict';
import { auditEventSchema } from '../../src/api/audit-event.ts';

/** @throws AssertionError for an event that is not of the published form */
export function assertValidEvent(event: object): void {
  // What is stored is its JSON.
  const stored: unknown = JSON.parse(JSON.stringify(event));
  const parsed = auditEventSchema.safeParse(stored);
  assert.ok(parsed.success, `${JSON.stringify(event)}: ${parsed.error?.message}`);
  // Fields that the schema does not know are left out by it.
  assert.deepEqual(parsed.data, stored);
}
