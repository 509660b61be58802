// The rows, of which only those in view are in the document. They follow the newest, or stay where they are.

import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactElement, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { momentText, plural } from '../../model/display.ts';
import { useDesk } from '../../parts/operator.ts';
import type { LiveRow } from '../../model/live-rows.ts';
import { EventLine, NoteLine } from './event-line.tsx';
import { usePins } from './pinned-rows.tsx';
import { type LiveState, rowId } from './use-live-rows.ts';

interface LiveListProps {
  readonly state: LiveState;
  readonly marked: string;
  readonly mark: (id: string) => void;
  readonly isOpen: boolean;
}

const phone = '(width <= 720px)';
const columns = [
  ['', ''],
  ['time', ''],
  ['session', 'who'],
  ['method', ''],
  ['destination', ''],
  ['status', 'r'],
  ['rule', ''],
  ['credential', 'x'],
  ['sent', 'x r'],
  ['received', 'x r'],
  ['took', 'r ms'],
] as const;

export function LiveList({ state, marked, mark, isOpen }: LiveListProps): ReactElement {
  const { live, shown, feed } = state;
  const box = useRef<HTMLDivElement>(null);
  const height = useRowHeight();
  const pins = usePins();
  const virtual = useVirtualizer({
    count: shown,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    getItemKey: (at) => keyOf(live.rows[at], at),
    overscan: 12,
  });
  useLayoutEffect(() => virtual.measure(), [virtual, height]);
  useFollowing(state, box, height);
  useMarkedInView({ state, marked, scrollTo: (at) => virtual.scrollToIndex(at, { align: 'auto' }) });
  const markedAt = marked === '' ? -1 : live.rows.findLastIndex((row) => rowId(row) === marked);
  return (
    <div className="tbl">
      <div className="tr th" aria-hidden="true">
        {columns.map(([name, style]) => (
          <span key={name} className={style}>
            {name}
          </span>
        ))}
      </div>
      <div
        ref={box}
        className={`rows ${feed.connection.state === 'cut' ? 'dim' : ''}`}
        role="grid"
        aria-label="Exchanges, the newest last"
        aria-rowcount={shown}
        aria-busy={state.isTaking}
        aria-activedescendant={markedAt >= 0 && markedAt < shown ? `row-${marked}` : undefined}
        tabIndex={0}
      >
        <div className="spacer" role="rowgroup" style={{ height: `${virtual.getTotalSize()}px` }}>
          {virtual.getVirtualItems().map(({ index, key, start }) => {
            const row = live.rows[index];
            const isPinned = row !== undefined && pins.has(rowId(row));
            const common = { index, top: start, isMarked: index === markedAt, isPinned };
            if (row === undefined) return null;
            return row.kind === 'note' ? (
              <NoteLine key={key} {...common} row={row} />
            ) : (
              <EventLine key={key} {...common} row={row} times={row.times} mark={mark} />
            );
          })}
        </div>
        {shown === 0 ? <NoRows state={state} /> : null}
      </div>
      {state.waiting > 0 && !isOpen ? (
        <button type="button" className="btn pill" onClick={state.follow}>
          Latest, {plural(state.waiting, 'new', 'new')}
          <kbd>F</kbd>
        </button>
      ) : null}
      <Announced state={state} />
    </div>
  );
}

function keyOf(row: LiveRow | undefined, at: number): string {
  return row === undefined ? `none ${at}` : rowId(row);
}

function useRowHeight(): number {
  const [isPhone, setPhone] = useState(() => matchMedia(phone).matches);
  useEffect(() => {
    const media = matchMedia(phone);
    const change = (): void => setPhone(media.matches);
    media.addEventListener('change', change);
    return () => media.removeEventListener('change', change);
  }, []);
  return isPhone ? 54 : 28;
}

type Box = { readonly current: HTMLDivElement | null };
const nearPixels = 4;
const topPixels = 200;

/** The end stays in view while it follows; a reader who scrolls up stays where they are, whatever comes or is loaded. */
function useFollowing(state: LiveState, box: Box, height: number): void {
  const { live, shown, feed, pausedBy } = state;
  const latest = useRef(state);
  latest.current = state;
  const anchor = useRef<{ id: string; offset: number }>(undefined);
  const rows = useRef(live);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    if (pausedBy === undefined) element.scrollTop = element.scrollHeight;
    else if (rows.current !== live && anchor.current !== undefined) {
      const { id, offset } = anchor.current;
      const at = live.rows.findIndex((row) => rowId(row) === id);
      if (at >= 0) element.scrollTop = at * height + offset;
    }
    rows.current = live;
  }, [box, height, live, shown, pausedBy]);
  useEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const scrolled = (): void => {
      const now = latest.current;
      const { scrollTop, scrollHeight, clientHeight } = element;
      const top = now.live.rows[Math.floor(scrollTop / height)];
      anchor.current = top === undefined ? undefined : { id: rowId(top), offset: scrollTop % height };
      const isAtEnd = scrollHeight - scrollTop - clientHeight <= nearPixels;
      if (now.pausedBy === undefined && !isAtEnd) now.pause('scroll');
      else if (now.pausedBy === 'scroll' && isAtEnd) now.follow();
      if (now.pausedBy !== undefined && scrollTop < topPixels && scrollHeight > clientHeight)
        void feed.loadOlder().catch(() => undefined);
    };
    element.addEventListener('scroll', scrolled, { passive: true });
    return () => element.removeEventListener('scroll', scrolled);
  }, [box, feed, height]);
}

function useMarkedInView({
  state,
  marked,
  scrollTo,
}: {
  readonly state: LiveState;
  readonly marked: string;
  readonly scrollTo: (at: number) => void;
}): void {
  const latest = useRef({ state, scrollTo });
  latest.current = { state, scrollTo };
  useEffect(() => {
    if (marked === '' || latest.current.state.pausedBy !== 'reader') return;
    const at = latest.current.state.live.rows.findLastIndex((row) => rowId(row) === marked);
    if (at >= 0) latest.current.scrollTo(at);
  }, [marked]);
}

function NoRows({ state }: { readonly state: LiveState }): ReactElement {
  const { feed, filter } = state;
  const { who } = useDesk();
  const { held, isSearching } = feed;
  if (isSearching || feed.connection.state === 'opening')
    return <div className="empty">Looking for events…</div>;
  if (filter.terms.length > 0 && held.events.length > 0)
    return (
      <div className="empty">
        <h2>0 so far</h2>
        <p>
          Nothing fits the filter,{' '}
          {held.sinceMs === undefined
            ? 'from the first event on.'
            : `searched to ${momentText(held.sinceMs, Date.now())}.`}
        </p>
      </div>
    );
  return (
    <div className="empty">
      <h2>Nothing has come through yet</h2>
      {who.by === 'link' ? (
        <p>The command of this run has asked for nothing; what it asks for appears here.</p>
      ) : (
        <>
          <p>Start something behind the gateway, and it appears here while it runs:</p>
          <p className="code">upstreamproxy run --gateway URL --token-file FILE -- COMMAND</p>
        </>
      )}
    </div>
  );
}

const announceEveryMs = 10_000;

/** New rows as a count, not as a flood. */
function Announced({ state }: { readonly state: LiveState }): ReactElement {
  const [said, setSaid] = useState('');
  const latest = useRef(state);
  latest.current = state;
  const before = useRef<number>(undefined);
  useEffect(() => {
    const timer = setInterval(() => {
      const { all, deny } = latest.current.live.facets;
      if (before.current !== undefined && all > before.current)
        setSaid(
          `${plural(all - before.current, 'new event', 'new events')}, ${plural(deny, 'denial', 'denials')} in all`,
        );
      before.current = all;
    }, announceEveryMs);
    return () => clearInterval(timer);
  }, []);
  return (
    <div className="hidden" aria-live="polite">
      {said}
    </div>
  );
}
