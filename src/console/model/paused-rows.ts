// The part of the live list that a reader looks at: what was there when they began, whichever filter they choose meanwhile.

import type { AuditEvent } from '../../api/audit-event.ts';
import type { LiveRows, Note } from './live-rows.ts';

/** Where the part ends that is shown. */
export interface ShownPart {
  readonly rows: number;
  /** How many requests that fit the filter it stands for. */
  readonly fitting: number;
}

/**
 * Takes what is held, and gives where the events up to `lastId` end. Older events that are loaded meanwhile belong to that part. An event that is
 * held no longer, or none, gives all that is there now.
 */
export function takePaused(
  live: LiveRows,
  { events, notes }: { readonly events: readonly AuditEvent[]; readonly notes: readonly Note[] },
  lastId: string | undefined,
): ShownPart {
  const at = lastId === undefined ? -1 : events.findLastIndex(({ id }) => id === lastId);
  if (at >= 0) {
    // What was noted behind that event came later.
    const before = notes.filter(({ afterId }) => afterId !== lastId);
    live.extend(events.slice(0, at + 1), before);
  } else live.extend(events, notes);
  const shown = { rows: live.rows.length, fitting: live.fitting };
  live.extend(events, notes);
  return shown;
}
