// Sessions: who is connected, what is weak, what was refused.

import { type ReactElement, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { plural } from '../../model/display.ts';
import type { EventTotals } from '../../model/event-totals.ts';
import { AsOf } from '../../parts/as-of.tsx';
import { useAskedPages } from '../../parts/asked-pages.ts';
import { type Held, useHeldList } from '../../parts/held-list.ts';
import { HeldNote } from '../../parts/held-note.tsx';
import { Icon } from '../../parts/icon.tsx';
import { useListKeys } from '../../parts/list-keys.ts';
import { addressOf, go, type Place } from '../../parts/location.ts';
import { useTotals } from '../../parts/totals.ts';
import { SessionDrawer } from './session-drawer.tsx';
import { SessionLine } from './session-line.tsx';

type Session = OutputOf<'session'>;
type Order = 'created' | 'denied' | 'lastSeen';
const everyMs = 3000;

export function SessionsView({ place }: { readonly place: Place }): ReactElement {
  const query = place.query.get('q') ?? '';
  const isAll = place.query.get('all') === 'true';
  const [order, setOrder] = useState<Order>('created');
  const [pagesMax, setPagesMax] = useState(1);
  const asked = useAskedPages(
    { operation: 'sessions', path: '/v1/sessions', query: { all: isAll ? 'true' : undefined }, pagesMax },
    everyMs,
  );
  const totals = useTotals();
  const items = (asked.value?.items ?? []).filter((one) => isFound(one, query));
  const held = useHeldList(`${order} ${query} ${isAll} ${pagesMax}`, sorted(items, order, totals));
  const { items: shown } = held;
  const show = (id: string): void =>
    go(addressOf('sessions', id, { q: query, all: isAll ? 'true' : undefined }), { replace: true });
  useListKeys({ shown, marked: place.id, mark: show });
  return (
    <section className={`view ses ${place.id === '' ? '' : 'open'}`} aria-label="Sessions">
      <SessionsHead
        query={query}
        isAll={isAll}
        count={asked.value === undefined ? undefined : items.length}
        hasMore={asked.value?.hasMore === true}
        change={(q, all) =>
          go(addressOf('sessions', place.id, { q, all: all ? 'true' : undefined }), { replace: true })
        }
      />
      <AsOf asked={asked} />
      <div className="split">
        <div className="tbl" {...held.handlers}>
          <ListHead order={order} sort={setOrder} />
          <SessionRows
            shown={shown}
            totals={totals}
            marked={place.id}
            open={show}
            held={held}
            further={asked.value?.hasMore === true ? () => setPagesMax(pagesMax + 1) : undefined}
            nothing={
              asked.fault ?? (asked.value === undefined ? 'Looking for sessions…' : nothingText(query))
            }
          />
        </div>
        {place.id === '' ? null : (
          <SessionDrawer
            key={place.id}
            id={place.id}
            totals={totals}
            close={() => show('')}
            changed={asked.again}
          />
        )}
      </div>
    </section>
  );
}

function nothingText(query: string): string {
  return query === '' ? 'No session is alive.' : 'None fits.';
}

interface RowsProps {
  readonly shown: readonly Session[];
  readonly totals: EventTotals;
  readonly marked: string;
  readonly open: (id: string) => void;
  readonly held: Held;
  /** Asks for older ones. */
  readonly further: (() => void) | undefined;
  readonly nothing: string;
}

function SessionRows(props: RowsProps): ReactElement {
  const { shown, totals, marked, open, held, further, nothing } = props;
  return (
    <div className="rows" role="grid" aria-label="Sessions" aria-rowcount={shown.length} tabIndex={0}>
      <div role="rowgroup">
        {shown.map((session) => (
          <SessionLine
            key={session.id}
            session={session}
            totals={totals}
            isMarked={session.id === marked}
            open={open}
          />
        ))}
      </div>
      {shown.length > 0 ? null : <p className="empty">{nothing}</p>}
      {further === undefined ? null : (
        <p className="gh">
          <button type="button" className="btn" onClick={further}>
            Further back
          </button>
        </p>
      )}
      <HeldNote held={held} />
    </div>
  );
}

interface HeadProps {
  readonly query: string;
  readonly isAll: boolean;
  readonly count: number | undefined;
  readonly hasMore: boolean;
  readonly change: (query: string, isAll: boolean) => void;
}

function SessionsHead({ query, isAll, count, hasMore, change }: HeadProps): ReactElement {
  return (
    <header className="head">
      <h1>Sessions</h1>
      <div className="filter" role="search">
        <Icon name="search" size={14} />
        <input
          className="plain"
          aria-label="Find sessions"
          placeholder="id, principal or claim"
          value={query}
          spellCheck={false}
          maxLength={300}
          onChange={(event) => change(event.target.value, isAll)}
        />
      </div>
      <span className="sub hm nw">
        {count === undefined ? '' : `${hasMore ? 'the newest ' : ''}${plural(count, 'session', 'sessions')}`}
      </span>
      <button type="button" className="btn" aria-pressed={isAll} onClick={() => change(query, !isAll)}>
        {isAll ? 'All, those that are over too' : 'Alive'}
      </button>
    </header>
  );
}

const columns: readonly { readonly name: string; readonly style: string; readonly order?: Order }[] = [
  { name: 'session', style: '', order: 'created' },
  { name: 'principal', style: '' },
  { name: 'since', style: 'x' },
  { name: 'last seen', style: 'o', order: 'lastSeen' },
  { name: 'tunnels', style: 'x r' },
  { name: 'last 30 min', style: 'o' },
  { name: 'denied', style: 'r', order: 'denied' },
  { name: 'policy', style: 'x' },
  { name: 'posture', style: '' },
];

function ListHead({
  order,
  sort,
}: {
  readonly order: Order;
  readonly sort: (order: Order) => void;
}): ReactElement {
  return (
    <div className="tr th">
      {columns.map(({ name, style, order: by }) => (
        <span key={name} className={style}>
          {by === undefined ? (
            name
          ) : (
            <button
              type="button"
              data-sorted={by === order}
              aria-pressed={by === order}
              title={`Sort by ${name}`}
              onClick={() => sort(by)}
            >
              {name}
            </button>
          )}
        </span>
      ))}
    </div>
  );
}

function isFound({ id, principal, claims }: Session, query: string): boolean {
  const wanted = query.trim().toLowerCase();
  return wanted === '' || `${id}\n${principal}\n${JSON.stringify(claims)}`.toLowerCase().includes(wanted);
}

function sorted(items: readonly Session[], order: Order, totals: EventTotals): readonly Session[] {
  const denied = ({ id }: Session): number => totals.bySession.get(id)?.denied ?? 0;
  switch (order) {
    case 'created':
      return items.toSorted((a, b) => b.created.localeCompare(a.created));
    case 'lastSeen':
      return items.toSorted((a, b) => (b.lastSeen ?? '').localeCompare(a.lastSeen ?? ''));
    case 'denied':
      return items.toSorted((a, b) => denied(b) - denied(a));
  }
}
