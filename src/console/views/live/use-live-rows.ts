// What the live list shows: rows of the filter, all of them or, while somebody reads, those that were there.

import { useEffect, useMemo, useRef, useState } from 'react';
import type { EventFeed } from '../../api/event-feed.ts';
import { type Filter, parseFilter } from '../../model/filter-language.ts';
import { type LiveRow, LiveRows } from '../../model/live-rows.ts';
import { useFeed } from '../../parts/operator.ts';

export interface LiveState {
  readonly feed: EventFeed;
  readonly filter: Filter;
  readonly live: LiveRows;
  /** How many of the rows are shown. */
  readonly shown: number;
  /** Why it does not follow; undefined: it follows. */
  readonly pausedBy: 'scroll' | 'reader' | undefined;
  /** Events that wait behind those that are shown. */
  readonly waiting: number;
  readonly pause: (by: 'scroll' | 'reader') => void;
  readonly follow: () => void;
}

/** Where the rows that are shown end. */
interface Pause {
  readonly by: 'scroll' | 'reader';
  readonly lastRow: string | undefined;
  readonly events: number;
}

export function rowId(row: LiveRow): string {
  return row.kind === 'event' ? row.event.id : row.id;
}

export function useLiveRows(text: string, isFolding: boolean): LiveState {
  const feed = useFeed();
  const filter = useMemo(() => parseFilter(text), [text]);
  const { epoch } = feed.held;
  const live = useMemo(
    () => new LiveRows({ filter, isFolding, nowMs: Date.now() }),
    // Rows begin anew where the beginning of the events did.
    [filter, isFolding, epoch, feed],
  );
  live.extend(feed.held.events, feed.held.notes);
  const [paused, setPaused] = useState<Pause>();
  const lastShown = useRef<Pause>(undefined);
  const shown = paused === undefined ? live.rows.length : shownOf(live.rows, paused);
  useEffect(() => feed.read(paused !== undefined), [feed, paused]);
  // Nobody reads a list that is not there.
  useEffect(() => () => feed.read(false), [feed]);
  lastShown.current = paused;
  return {
    feed,
    filter,
    live,
    shown,
    pausedBy: paused?.by,
    waiting: paused === undefined ? 0 : Math.max(0, live.facets.all - paused.events),
    pause: (by) => {
      const before = lastShown.current;
      if (before?.by === 'reader' || before?.by === by) return;
      const last = live.rows.at(-1);
      const lastRow = before?.lastRow ?? (last === undefined ? undefined : rowId(last));
      setPaused({ by, lastRow, events: before?.events ?? live.facets.all });
    },
    follow: () => setPaused(undefined),
  };
}

/** The last row may be in no filter any more: then all are shown. */
function shownOf(rows: readonly LiveRow[], { lastRow }: Pause): number {
  if (lastRow === undefined) return rows.length;
  const at = rows.findLastIndex((row) => rowId(row) === lastRow);
  return at < 0 ? rows.length : at + 1;
}
