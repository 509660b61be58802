// What the live list shows: rows of the filter, all of them or, while somebody reads, those that were there.

import { useEffect, useMemo, useRef, useState } from 'react';
import type { EventFeed } from '../../api/event-feed.ts';
import { type Filter, parseFilter } from '../../model/filter-language.ts';
import { type LiveRow, LiveRows } from '../../model/live-rows.ts';
import { type ShownPart, takePaused } from '../../model/paused-rows.ts';
import { useFeed } from '../../parts/operator.ts';

export interface LiveState {
  readonly feed: EventFeed;
  readonly filter: Filter;
  readonly live: LiveRows;
  /** How many of the rows are shown. */
  readonly shown: number;
  /** Why it does not follow; undefined: it follows. */
  readonly pausedBy: 'scroll' | 'reader' | undefined;
  /** Requests that fit the filter and came since it does not follow. */
  readonly waiting: number;
  readonly pause: (by: 'scroll' | 'reader') => void;
  readonly follow: () => void;
}

/** Somebody reads, since that event was the newest. */
interface Pause {
  readonly by: 'scroll' | 'reader';
  readonly lastId: string | undefined;
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
  const [paused, setPaused] = useState<Pause>();
  const lastShown = useRef<Pause>(undefined);
  const part = usePart(live, feed, paused);
  // What these rows are of: more may have come when somebody looks at them.
  const { newestId } = feed.held;
  useEffect(() => feed.read(paused !== undefined), [feed, paused]);
  // Nobody reads a list that is not there.
  useEffect(() => () => feed.read(false), [feed]);
  lastShown.current = paused;
  return {
    feed,
    filter,
    live,
    shown: part?.rows ?? live.rows.length,
    pausedBy: paused?.by,
    waiting: part === undefined ? 0 : live.fitting - part.fitting,
    pause: (by) => {
      const before = lastShown.current;
      if (before?.by === 'reader' || before?.by === by) return;
      setPaused({ by, lastId: before === undefined ? newestId : before.lastId });
    },
    follow: () => setPaused(undefined),
  };
}

/** Takes what is held. While somebody reads, the part of it that they look at; it is found anew where the rows were made anew. */
function usePart(live: LiveRows, { held }: EventFeed, paused: Pause | undefined): ShownPart | undefined {
  const found = useRef<{ readonly live: LiveRows; readonly paused: Pause; readonly part: ShownPart }>(
    undefined,
  );
  if (paused === undefined) found.current = undefined;
  else if (found.current?.live !== live || found.current.paused.lastId !== paused.lastId) {
    found.current = { live, paused, part: takePaused(live, held, paused.lastId) };
  }
  live.extend(held.events, held.notes);
  return found.current?.part;
}
