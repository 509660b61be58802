// The stages of an exchange from the times of its event: each begins where the one before was over.

import type { AuditEvent } from '../../api/audit-event.ts';

export interface Stage {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Spent in the gateway, not on the way or at the origin. */
  readonly isHere: boolean;
}

const order = [
  ['queue', 'queuedMs', true],
  ['decide', 'decidedMs', true],
  ['resolve', 'resolvedMs', false],
  ['dial', 'dialledMs', false],
  ['TLS', 'securedMs', false],
  ['send', 'sentMs', false],
  ['first byte', 'firstByteMs', false],
  ['last byte', 'lastByteMs', false],
] as const;

/** Those that happened. Empty where the event has no times. */
export function stagesOf({ times }: AuditEvent): readonly Stage[] {
  if (times === undefined) return [];
  const stages: Stage[] = [];
  let startMs = 0;
  for (const [name, field, isHere] of order) {
    const endMs = times[field];
    if (endMs === undefined) continue;
    // A response may begin before the last of the request is on its way: that stage took no time of its own.
    const from = Math.min(startMs, endMs);
    stages.push({ name, startMs: from, endMs, isHere });
    startMs = Math.max(startMs, endMs);
  }
  return stages;
}
