// What runs now, as the live view shows it: the oldest first, by the gateway's clock, and only what lasts.

import type { AuditEvent } from '../../api/audit-event.ts';

/** What is over sooner comes and goes between two looks. */
export const openSeconds = 2;
export const openRowsMax = 100;

/** An exchange that has not ended. `shown`: with what was decided in place of the verdict that it does not have yet; one that waits for a decision is information. */
export interface OpenExchange {
  readonly id: string;
  readonly shown: AuditEvent;
  readonly openMs: number;
}

/** `now`: the gateway's clock at the look; `sinceMs`: how long ago that was. */
export function openExchanges(
  items: readonly AuditEvent[],
  now: string,
  sinceMs: number,
): readonly OpenExchange[] {
  const nowMs = Date.parse(now) + sinceMs;
  return items.map((event) => ({
    id: event.id,
    shown: { ...event, verdict: event.decided ?? 'info' },
    openMs: Math.max(0, nowMs - Date.parse(event.time)),
  }));
}
