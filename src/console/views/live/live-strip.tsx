// The gate line above the list, over the last quarter of an hour or as long as the filter says.

import type { ReactElement } from 'react';
import { clockTime, countText, durationText } from '../../model/display.ts';
import { readingOf } from '../../model/filter-keys.ts';
import { valueOf } from '../../model/filter-language.ts';
import { barsFor, gateBars } from '../../model/gate-line.ts';
import { GateLine } from '../../parts/gate-line.tsx';
import { useNow } from '../../parts/operator.ts';
import type { LiveState } from './use-live-rows.ts';

const usualMs = 15 * 60_000;
const barsMax = 90;

export function LiveStrip({ state }: { readonly state: LiveState }): ReactElement {
  const now = useNow(2000);
  const since = valueOf(state.filter, 'since');
  const reading = since === undefined ? undefined : readingOf('since', since);
  const { bars: count, barMs } = barsFor(reading?.form === 'ago' ? reading.ms : usualMs, barsMax);
  const bars = gateBars(state.live.bins, {
    endMs: now,
    bars: count,
    barMs,
    heldSinceMs: state.feed.held.sinceMs,
  });
  const most = Math.max(0, ...bars.map(({ passed }) => passed));
  const mostStopped = Math.max(0, ...bars.map(({ stopped }) => stopped));
  const from = clockTime(bars[0]?.startMs ?? now).time.slice(0, 5);
  const each = durationText(barMs).replace('10.0', '10').replace('30.0', '30');
  return (
    <div className="strip">
      <GateLine bars={bars} height={60} base={42} gap={2.5} />
      <span className="axis up">
        allowed, {countText(most)} in {each} at most
      </span>
      <span className="axis down">
        denied, {countText(mostStopped)} in {each} at most
      </span>
      <span className="axis span">
        {from} to {clockTime(now).time.slice(0, 5)}, {each} a bar
      </span>
    </div>
  );
}
