// The gate line of Overview: of the last hour what is held, of longer times what the store counted.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { clockTime, countText, durationText, momentText } from '../../model/display.ts';
import type { EventTotals } from '../../model/event-totals.ts';
import { barsFor, type GateBar, gateBars } from '../../model/gate-line.ts';
import { countedBars } from '../../model/counted-hours.ts';
import { GateLine } from '../../parts/gate-line.tsx';
import { useAsked, useDesk, useFeed, useNow } from '../../parts/operator.ts';

const barsMax = 96;

interface RequestsProps {
  readonly totals: EventTotals;
  readonly hours: number;
}

export function Requests({ totals, hours }: RequestsProps): ReactElement {
  const now = useNow(5000);
  const counted = useCounted(hours);
  const { held } = useFeed();
  const { bars, barMs, isCounted } = barsOf();
  const most = Math.max(0, ...bars.map(({ passed }) => passed));
  const mostStopped = Math.max(0, ...bars.map(({ stopped }) => stopped));
  const isPartly = bars.some(({ isKnown }) => !isKnown);
  return (
    <section>
      <div className="sech">
        <h2>Requests</h2>
        <span className="sub">
          allowed above the line, denied below it, each side on its own scale
          {isCounted ? '; all gateways' : ''}
          {isPartly ? `; what is shaded is not ${isCounted ? 'counted' : 'held here'}` : ''}
        </span>
      </div>
      <div className="big">
        <GateLine bars={bars} height={168} base={118} gap={1.5} />
        <span className="axis up">
          allowed, {countText(most)} in {durationText(barMs)} at most
        </span>
        <span className="axis down">
          denied, {countText(mostStopped)} in {durationText(barMs)} at most
        </span>
        <div className="ends">
          <span>
            {hours > 1
              ? momentText(bars[0]?.startMs ?? now, now)
              : clockTime(bars[0]?.startMs ?? now).time.slice(0, 5)}
          </span>
          <span>now</span>
        </div>
      </div>
    </section>
  );

  function barsOf(): {
    readonly bars: readonly GateBar[];
    readonly barMs: number;
    readonly isCounted: boolean;
  } {
    if (counted?.since !== undefined)
      return { ...countedBars(counted, { hours, barsMax, nowMs: now }), isCounted: true };
    const { bars: count, barMs } = barsFor(hours * 3_600_000, barsMax);
    const window = { endMs: now, bars: count, barMs, heldSinceMs: held.sinceMs };
    return { bars: gateBars(totals.bins, window), barMs, isCounted: false };
  }
}

/** Undefined where what is held says it better, or one may not ask. */
function useCounted(hours: number): OutputOf<'hours'> | undefined {
  const { who } = useDesk();
  const isAsked = hours > 1 && who.sees === undefined;
  const query = { hours: String(hours) };
  const asked = useAsked({
    operation: 'hours',
    path: isAsked ? '/v1/uses/hours' : undefined,
    query,
    everyMs: 30_000,
  });
  return asked.value;
}
