// What runs now. The store has a marker of each exchange that is not over shortly after it began, of every gateway, and takes it away with its event.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { OutputOf } from '../../api/admin/routes.ts';
import type { AuditEvent } from '../../api/audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { type AdminParts, type Asked, type Handlers, isoTime } from './admin-parts.ts';
import { openCursor, sealCursor } from './cursor-seal.ts';
import type { Operator } from './operator.ts';
import { VisibleEvents } from './visible-events.ts';

const countDefault = 100;
/** Of one question to the store; between two the loop serves others. */
const scanBatch = 500;

export const openOperations: Handlers<'openExchanges'> = { openExchanges: open };

async function open(
  parts: AdminParts,
  { operator, query, nowMs }: Asked<'openExchanges'>,
): Promise<OutputOf<'openExchanges'>> {
  const { session, seconds = 0, after, count = countDefault } = query;
  const visible = new VisibleEvents(operator, parts.store);
  const items: AuditEvent[] = [];
  const now = isoTime(nowMs);
  const youngest = isoTime(nowMs - seconds * 1000);
  let behind = placeOf(parts, operator, after);
  for (let looked = 0; looked < defaultLimits.adminScannedEventsMax; looked += scanBatch) {
    const found = await parts.store.audit.stillOpen(behind, scanBatch);
    for (const marker of found) {
      behind = marker.id;
      const fits = marker.time <= youngest && (session === undefined || marker.sessionId === session);
      if (!fits || !(await visible.sees(marker))) continue;
      items.push(shown(marker));
      if (items.length >= count) return { items, next: cursorOf(parts, operator, behind), now };
    }
    if (found.length < scanBatch) return { items, now };
    await nextTurn();
  }
  return { items, next: cursorOf(parts, operator, behind), now };
}

/** The sentence of a marker is about a gateway that ended. */
function shown(marker: AuditEvent): AuditEvent {
  const { message, ...event } = marker;
  return message === undefined ? marker : event;
}

/** It may be of others: who sees only some sessions is told it sealed. */
function cursorOf({ signingKey }: AdminParts, operator: Operator, id: string): string {
  return operator.sees === undefined ? id : sealCursor(signingKey, id);
}

/** @throws ProxyError usage */
function placeOf({ signingKey }: AdminParts, operator: Operator, cursor: string | undefined): string {
  if (cursor === undefined || operator.sees === undefined) return cursor ?? '';
  const id = openCursor(signingKey, cursor);
  if (id === undefined) throw new ProxyError('usage', 'after: write what the page before gave as next');
  return id;
}
