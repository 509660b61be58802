// What of the limits one worker of several has: what bounds a process is divided, so that all together hold what one would.

import type { LimitName, Limits } from '../../protocol/limits.ts';

/**
 * Limits of a process, and of a principal, whose sessions may be at several workers. Those of a session are whole: all of its tunnels are
 * at one worker. Strangers are counted at the supervisor.
 */
const dividedLimits: Readonly<Partial<Record<LimitName, true>>> = {
  heldOctetsMax: true,
  unreadOctetsMax: true,
  heldBodiesBytesMax: true,
  auditQueueEventsMax: true,
  auditQueueBytesMax: true,
  spoolBytesMax: true,
  leafContextsMax: true,
  resolverCacheMax: true,
  originPoolsMax: true,
  originPoolsPerPrincipalMax: true,
  lookupsPendingMax: true,
  dialsPendingMax: true,
};

/** The limits of each of so many workers. */
export function limitsOfWorker(limits: Limits, workers: number): Limits {
  return Object.freeze(
    // The keys stay those of the limits; fromEntries forgets them.
    Object.fromEntries(
      Object.entries(limits).map(([name, value]) => [
        name,
        Object.hasOwn(dividedLimits, name) ? Math.max(1, Math.floor(value / workers)) : value,
      ]),
    ) as Limits,
  );
}
