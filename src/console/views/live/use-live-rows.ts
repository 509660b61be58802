// What the live list shows: rows of the filter, all of them or, while somebody reads, those that were there.

import { useEffect, useMemo, useRef, useState } from 'react';
import type { EventFeed } from '../../api/event-feed.ts';
import { type Filter, parseFilter } from '../../model/filter-language.ts';
import { type LiveRow, LiveRows } from '../../model/live-rows.ts';
import { RowsTaking, type ShownPart, takePaused } from '../../model/paused-rows.ts';
import { useFeed } from '../../parts/operator.ts';

export interface LiveState {
  readonly feed: EventFeed;
  readonly filter: Filter;
  readonly live: LiveRows;
  /** Those of another filter are not whole yet. */
  readonly isTaking: boolean;
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

/** Of one task that takes events: the page draws and reads keys between two. */
const pieceMs = 20;

function untilMs(ms: number): () => boolean {
  const endMs = performance.now() + ms;
  return () => performance.now() < endMs;
}

export function useLiveRows(text: string, isFolding: boolean): LiveState {
  const feed = useFeed();
  const filter = useMemo(() => parseFilter(text), [text]);
  const [paused, setPaused] = useState<Pause>();
  const lastShown = useRef<Pause>(undefined);
  const { live, part, isTaking } = useTaken(feed, { filter, isFolding, paused });
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
    isTaking,
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

interface Taken {
  readonly live: LiveRows;
  readonly isTaking: boolean;
  /** While somebody reads, the part of it that they look at. */
  readonly part: ShownPart | undefined;
}

interface Wanted {
  readonly filter: Filter;
  readonly isFolding: boolean;
  readonly paused: Pause | undefined;
}

/** The rows of all that is held. Where they are made anew and many are held, those from before stand until the new ones are whole. */
function useTaken(feed: EventFeed, { filter, isFolding, paused }: Wanted): Taken {
  const { held } = feed;
  const { epoch } = held;
  const wanted = useMemo(
    () => new LiveRows({ filter, isFolding, nowMs: Date.now() }),
    // Rows begin anew where the beginning of the events did.
    [filter, isFolding, epoch, feed],
  );
  const taking = useRef<RowsTaking>(undefined);
  const shown = useRef<Taken>(undefined);
  const found = useRef<{ readonly live: LiveRows; readonly paused: Pause; readonly part: ShownPart }>(
    undefined,
  );
  const [, look] = useState(0);
  if (taking.current?.live !== wanted) {
    taking.current = new RowsTaking(wanted, held, paused?.lastId);
    taking.current.step(held, untilMs(pieceMs));
  }
  const { current } = taking;
  const isReady = current.isWhole || shown.current === undefined;
  useTakingOn(current, feed, () => look((before) => before + 1));
  if (!isReady && shown.current !== undefined) return { ...shown.current, isTaking: true };
  if (current.isWhole) wanted.extend(held.events, held.notes);
  if (paused === undefined) found.current = undefined;
  else if (found.current?.live !== wanted || found.current.paused.lastId !== paused.lastId) {
    // Rows that were made anew since the reader began know where their part ends; of others all is shown that was there just now.
    const known = paused.lastId !== undefined && current.lastId === paused.lastId ? current.part : undefined;
    const part = known ?? takePaused(wanted, held, paused.lastId);
    found.current = { live: wanted, paused, part };
  }
  shown.current = { live: wanted, part: found.current?.part, isTaking: !current.isWhole };
  return shown.current;
}

/** Goes on with it between the other tasks of the page, and says when it is whole. */
function useTakingOn(taking: RowsTaking, feed: EventFeed, tell: () => void): void {
  const { isWhole } = taking;
  const told = useRef(tell);
  told.current = tell;
  useEffect(() => {
    if (isWhole) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const goOn = (): void => {
      taking.step(feed.held, untilMs(pieceMs));
      if (taking.isWhole) told.current();
      else timer = setTimeout(goOn, 0);
    };
    timer = setTimeout(goOn, 0);
    return () => clearTimeout(timer);
  }, [taking, feed, isWhole]);
}
