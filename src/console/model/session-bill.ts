// Which packages went into a session, from the events of its audit: page by page, up to a bound.

import type { AuditEvent } from '../../api/audit-event.ts';
import { PackageBill, type SessionPackages } from '../../api/package-bill.ts';
import { ProxyError } from '../../protocol/error.ts';

export interface SessionBill extends SessionPackages {
  /** Older events were not looked at, or more packages than fit. */
  readonly isPartial: boolean;
}

interface EventPage {
  readonly items: readonly AuditEvent[];
  readonly next?: string | undefined;
}

const pagesMax = 10;

/** @param ask for the page before a cursor */
export async function sessionBill(
  id: string,
  ask: (before: string | undefined) => Promise<EventPage>,
): Promise<SessionBill> {
  const bill = new PackageBill();
  let before: string | undefined;
  for (let page = 0; page < pagesMax; page += 1) {
    const { items, next } = await ask(before);
    if (!notesAll(bill, items)) return { ...bill.of(id), isPartial: true };
    if (next === undefined) return { ...bill.of(id), isPartial: false };
    before = next;
  }
  return { ...bill.of(id), isPartial: true };
}

function notesAll(bill: PackageBill, events: readonly AuditEvent[]): boolean {
  try {
    for (const event of events) bill.note(event);
    return true;
  } catch (error) {
    if (error instanceof ProxyError && error.limit === 'packageBillMax') return false;
    throw error;
  }
}
