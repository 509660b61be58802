// The check at the end of a test: nothing that was opened is still open.

import { setTimeout as delay } from 'node:timers/promises';
import { patienceMs } from './patience.ts';

export type ResourceBaseline = ReadonlyMap<string, number>;

/** What keeps this process alive now, counted by kind. Take it before anything is opened. */
export function resourceBaseline(): ResourceBaseline {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function surplus(baseline: ResourceBaseline): readonly string[] {
  const extra: string[] = [];
  for (const [kind, count] of resourceBaseline()) {
    const before = baseline.get(kind) ?? 0;
    if (count > before) extra.push(`${count - before} × ${kind}`);
  }
  return extra;
}

/**
 * Waits until no more is open than at the baseline: a closed handle stays listed for some milliseconds.
 * Throws after `deadlineMs` and names what is left.
 */
export async function resourcesSettled(baseline: ResourceBaseline, deadlineMs = patienceMs): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  let left = surplus(baseline);
  while (left.length > 0) {
    if (performance.now() > deadline)
      throw new Error(`still open after ${deadlineMs} ms: ${left.join(', ')}`);
    await delay(5);
    left = surplus(baseline);
  }
}
