// An event as the store takes it: its JSON within its bounds, and beside it what it is found and counted by.

import type { AuditEvent } from '../../api/audit-event.ts';
import { SharedUse } from '../../store/uses/shared-use.ts';
import { storedEvent } from './bounded-event.ts';
import { parseIsoTime } from './event-identity.ts';
import { HeldEntry, TextSlabs } from './held-entry.ts';

export class AuditEntries {
  readonly #bytesMax: number;
  readonly #use = new SharedUse();
  readonly #texts = new TextSlabs();

  /** @param bytesMax of the JSON of one */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Snapshot at the time of the call: what the caller changes later is not in it. */
  of(event: AuditEvent, wasOpen = false): HeldEntry {
    const { id, sessionId, verdict, kind, time } = event;
    const { json, isWhole } = storedEvent(event, this.#bytesMax);
    // What was cut, its JSON says in another way.
    const used = isWhole ? this.#use.of(event) : undefined;
    const [timeMs, opened] = [parseIsoTime(time), wasOpen ? true : undefined];
    const facts = { id, verdict, kind, timeMs, sessionId, wasOpen: opened, used };
    return new HeldEntry(facts, this.#texts.hold(json));
  }
}
