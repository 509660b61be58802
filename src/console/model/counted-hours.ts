// Bars of a gate line from hours that the store counted.

import type { OutputOf } from '../../api/admin/routes.ts';
import type { GateBar } from './gate-line.ts';

const hourMs = 3_600_000;

export interface CountedWindow {
  readonly hours: number;
  readonly barsMax: number;
  readonly nowMs: number;
}

/** Each bar is whole hours, so that there are at most so many; the last one has the hour that goes on. */
export function countedBars(
  { since, items }: OutputOf<'hours'>,
  { hours, barsMax, nowMs }: CountedWindow,
): { readonly bars: readonly GateBar[]; readonly barMs: number } {
  const each = [1, 2, 3, 6, 8, 12, 24].find((one) => hours / one <= barsMax) ?? 24;
  const barMs = each * hourMs;
  const last = Math.floor(nowMs / barMs);
  const count = Math.ceil(hours / each);
  const sums = new Map<number, { passed: number; stopped: number }>();
  for (const { time, allowed, denied, failed } of items) {
    const bar = Math.floor(Date.parse(time) / barMs);
    const sum = sums.get(bar) ?? { passed: 0, stopped: 0 };
    sum.passed += allowed + failed;
    sum.stopped += denied;
    sums.set(bar, sum);
  }
  const sinceMs = since === undefined ? Infinity : Date.parse(since);
  const bars = Array.from({ length: count }, (_, at): GateBar => {
    const bar = last - count + 1 + at;
    const { passed, stopped } = sums.get(bar) ?? { passed: 0, stopped: 0 };
    return { startMs: bar * barMs, passed, stopped, isKnown: (bar + 1) * barMs > sinceMs };
  });
  return { bars, barMs };
}
