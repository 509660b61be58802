// Behind which event a walk through the audit goes on, as text for whoever asks for its pages.

import type { AuditPlace } from './audit-search.ts';

const pattern = /^(\d{1,15})\.(\d{1,16})$/;

export function auditCursor({ timeMs, sequence }: AuditPlace): string {
  return `${timeMs}.${sequence}`;
}

/** Undefined for what is no cursor. */
export function placeOfAuditCursor(text: string): AuditPlace | undefined {
  const [, timeMs, sequence] = pattern.exec(text) ?? [];
  return timeMs === undefined ? undefined : { timeMs: Number(timeMs), sequence: Number(sequence) };
}
