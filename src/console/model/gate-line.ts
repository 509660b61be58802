// The bars of a gate line: what was allowed above it, what was denied below, each side on its own scale.

import { binMs, type GateBin } from './live-rows.ts';

export interface GateBar {
  readonly startMs: number;
  readonly passed: number;
  readonly stopped: number;
  /** Before what is held: nothing is known of it. */
  readonly isKnown: boolean;
}

export interface GateWindow {
  readonly endMs: number;
  readonly bars: number;
  /** A multiple of `binMs`. */
  readonly barMs: number;
  /** Since when all is held; undefined: since the first event of all. */
  readonly heldSinceMs: number | undefined;
}

export function gateBars(
  bins: ReadonlyMap<number, GateBin>,
  { endMs, bars, barMs, heldSinceMs }: GateWindow,
): readonly GateBar[] {
  const perBar = Math.max(1, Math.round(barMs / binMs));
  const last = Math.floor(endMs / (perBar * binMs));
  return Array.from({ length: bars }, (_, index) => {
    const bar = last - bars + 1 + index;
    const startMs = bar * perBar * binMs;
    let [passed, stopped] = [0, 0];
    for (let bin = bar * perBar; bin < (bar + 1) * perBar; bin += 1) {
      passed += bins.get(bin)?.passed ?? 0;
      stopped += bins.get(bin)?.stopped ?? 0;
    }
    const isKnown = heldSinceMs === undefined || startMs + perBar * binMs > heldSinceMs;
    return { startMs, passed, stopped, isKnown };
  });
}

/** Bars that show that long a time in at most so many. */
export function barsFor(
  durationMs: number,
  barsMax: number,
): { readonly bars: number; readonly barMs: number } {
  const steps = [1, 3, 6, 18, 30, 90, 180, 360, 1080, 8640];
  const step = steps.find((one) => durationMs / (one * binMs) <= barsMax) ?? 8640;
  const barMs = step * binMs;
  return { bars: Math.max(1, Math.min(barsMax, Math.ceil(durationMs / barMs))), barMs };
}
