// An event as the store takes it: its JSON within its bounds, and beside it what it is found and counted by.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { AuditEntry } from '../../store/store.ts';
import { SharedUse } from '../../store/uses/shared-use.ts';
import { storedEvent } from './bounded-event.ts';
import { parseIsoTime } from './event-identity.ts';

export class AuditEntries {
  readonly #bytesMax: number;
  readonly #use = new SharedUse();

  /** @param bytesMax of the JSON of one */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Snapshot at the time of the call: what the caller changes later is not in it. */
  of(event: AuditEvent, wasOpen = false): AuditEntry {
    const { id, sessionId, verdict, kind, time } = event;
    const { json, isWhole } = storedEvent(event, this.#bytesMax);
    const timeMs = parseIsoTime(time);
    const entry: { -readonly [Name in keyof AuditEntry]: AuditEntry[Name] } = {
      id,
      verdict,
      kind,
      timeMs,
      json,
    };
    if (sessionId !== undefined) entry.sessionId = sessionId;
    if (wasOpen) entry.wasOpen = true;
    // What was cut, its JSON says in another way.
    const used = isWhole ? this.#use.of(event) : undefined;
    if (used !== undefined) entry.used = used;
    return entry;
  }
}
