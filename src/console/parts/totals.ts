// The sums over what is held, as the views share them.

import { useMemo } from 'react';
import { EventTotals } from '../model/event-totals.ts';
import { useFeed } from './operator.ts';

export function useTotals(): EventTotals {
  const feed = useFeed();
  const { epoch } = feed.held;
  const totals = useMemo(
    () => new EventTotals(),
    // Sums begin anew where the beginning of the events did.
    [feed, epoch],
  );
  totals.extend(feed.held.events);
  return totals;
}
