// Live: what is happening, what was denied, and why.

import { type ReactElement, useRef, useState } from 'react';
import { plural } from '../../model/display.ts';
import type { FilterKey } from '../../model/filter-keys.ts';
import { withTerm } from '../../model/filter-language.ts';
import { useKeys } from '../../parts/keys.ts';
import { addressOf, go, type Place } from '../../parts/location.ts';
import { useDesk } from '../../parts/operator.ts';
import { useStableCall } from '../../parts/stable-call.ts';
import { ExchangeDrawer } from '../exchange/exchange-drawer.tsx';
import { FacetBar } from './facet-bar.tsx';
import { FilterField } from './filter-field.tsx';
import { LiveList } from './live-list.tsx';
import { LiveStrip } from './live-strip.tsx';
import { OpenRows } from './open-rows.tsx';
import { PinnedRows } from './pinned-rows.tsx';
import { SavedViews } from './saved-views.tsx';
import { type LiveState, rowId, useLiveRows } from './use-live-rows.ts';

export function LiveView({ place }: { readonly place: Place }): ReactElement {
  const text = place.query.get('q') ?? '';
  const open = place.query.get('x') ?? '';
  const [isFolding, setFolding] = useState(true);
  const [marked, setMarked] = useState(open);
  const state = useLiveRows(text, isFolding);
  const field = useRef<HTMLInputElement>(null);
  const show = (q: string, x: string): void => go(addressOf('live', '', { q, x }), { replace: true });
  const openRow = (id: string): void => {
    state.pause('reader');
    setMarked(id);
    show(text, id);
  };
  const mark = useStableCall(openRow);
  const close = (): void => show(text, '');
  const toggle = (): void => (state.pausedBy === undefined ? state.pause('reader') : state.follow());
  const move = (by: 1 | -1): void => {
    const next = neighbour(state, marked, by);
    if (next === undefined) return;
    state.pause('reader');
    setMarked(next);
    if (open !== '') show(text, next);
  };
  const pin = usePin(state, marked);
  useKeys({
    '/': () => field.current?.focus(),
    f: toggle,
    r: () => setFolding(!isFolding),
    p: marked === '' ? undefined : pin,
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    Enter: marked === '' ? undefined : () => openRow(marked),
    Escape: open === '' ? undefined : close,
  });
  return (
    <section className={`view live ${open === '' ? '' : 'open'}`} aria-label="Live">
      <header className="head">
        <h1>Live</h1>
        <FilterField key="filter" text={text} feed={state.feed} field={field} change={(q) => show(q, open)} />
        <SavedViews filter={text} show={(q) => show(q, open)} />
        <FollowButton state={state} toggle={toggle} />
      </header>
      <LiveStrip state={state} />
      <FacetBar
        state={state}
        isFolding={isFolding}
        choose={(key, value) => show(chosenText(text, key, value), open)}
        fold={() => setFolding(!isFolding)}
      />
      <PinnedRows />
      <OpenRows filter={state.filter} />
      <div className="split">
        <LiveList state={state} marked={marked} mark={mark} isOpen={open !== ''} />
        {open === '' ? null : <ExchangeDrawer key={open} id={open} close={close} move={move} />}
      </div>
    </section>
  );
}

/** Marks what is marked, or takes the mark away. */
function usePin({ live }: LiveState, marked: string): () => void {
  const { pins, say } = useDesk();
  return () => {
    const row = live.rows.findLast((one) => rowId(one) === marked);
    const event = row?.kind === 'event' ? row.event : pins.current().get(marked);
    if (event !== undefined && !pins.toggle(event)) say('As many events are pinned as can be; unpin some.');
  };
}

function chosenText(text: string, key: FilterKey, value: string | undefined): string {
  return value === undefined ? without(text) : withTerm(without(text), key, value);
}

/** The facets are one choice. */
function without(text: string): string {
  return withTerm(
    withTerm(withTerm(text, 'verdict', undefined), 'observed', undefined),
    'credential',
    undefined,
  );
}

function neighbour({ live, shown }: LiveState, marked: string, by: 1 | -1): string | undefined {
  const rows = live.rows.slice(0, shown);
  const at = rows.findIndex((row) => rowId(row) === marked);
  for (
    let next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by;
    next >= 0 && next < rows.length;
    next += by
  ) {
    const row = rows[next];
    if (row?.kind === 'event') return row.event.id;
  }
  return undefined;
}

function FollowButton({
  state,
  toggle,
}: {
  readonly state: LiveState;
  readonly toggle: () => void;
}): ReactElement {
  const isFollowing = state.pausedBy === undefined;
  const { connection } = state.feed;
  const dot = isFollowing ? (connection.state === 'following' ? 'pulse' : 'off') : 'off';
  const said = isFollowing ? (connection.state === 'cut' ? 'Cut off' : 'Following') : 'Paused';
  return (
    <button
      type="button"
      className="btn"
      aria-pressed={isFollowing}
      onClick={toggle}
      title={pausedText(state)}
    >
      <span className={`live-dot ${dot}`} />
      <span>
        {said}
        {state.waiting > 0 ? <span className="m"> · {plural(state.waiting, 'new', 'new')}</span> : null}
      </span>
      <kbd className="hm">F</kbd>
    </button>
  );
}

function pausedText({ pausedBy, feed }: LiveState): string {
  if (feed.connection.state === 'full')
    return 'So many wait that no more are taken until you follow; nothing is lost';
  if (pausedBy === undefined) return 'The newest stay in view';
  return 'Nothing moves until you follow again';
}
