// One exchange as a page, by its trace: denials print one, and a link names one.

import { type ReactElement, useEffect, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { faultText } from '../../api/admin-client.ts';
import { momentText } from '../../model/display.ts';
import { Clean } from '../../parts/clean.tsx';
import { Icon } from '../../parts/icon.tsx';
import { useKeys } from '../../parts/keys.ts';
import { Link } from '../../parts/link.tsx';
import { addressOf, go } from '../../parts/location.ts';
import { useDesk } from '../../parts/operator.ts';
import { ExchangeDetail } from './exchange-drawer.tsx';

interface TraceSearch {
  readonly items: OutputOf<'exchanges'>['items'];
  /** Where the search goes on; undefined: it has seen all there is, or nothing yet. */
  readonly next: string | undefined;
  readonly searchedTo: string | undefined;
  readonly isSearching: boolean;
  readonly fault: string | undefined;
}

const begun: TraceSearch = {
  items: [],
  next: undefined,
  searchedTo: undefined,
  isSearching: true,
  fault: undefined,
};

/** One question looks at so many events and no more; `further` looks behind them. */
function useTraceSearch(trace: string): TraceSearch & { readonly further: () => void } {
  const { client } = useDesk();
  const [search, setSearch] = useState(begun);
  // A new object is a new question, also from the same place after a fault.
  const [asked, setAsked] = useState<{ readonly before?: string | undefined }>({});
  useEffect(() => {
    const gone = new AbortController();
    setSearch((known) => ({ ...known, isSearching: true, fault: undefined }));
    const query = { trace, count: '20', before: asked.before };
    client.get('exchanges', '/v1/exchanges', { query, signal: gone.signal }).then(
      ({ items, next, searchedTo }) =>
        gone.signal.aborted ||
        setSearch((known) => ({
          items: [...known.items, ...items],
          next,
          searchedTo,
          isSearching: false,
          fault: undefined,
        })),
      (error: unknown) =>
        gone.signal.aborted ||
        setSearch((known) => ({ ...known, isSearching: false, fault: faultText(error) })),
    );
    return () => gone.abort();
  }, [client, trace, asked]);
  return { ...search, further: () => setAsked({ before: search.next }) };
}

export function ExchangePage({ trace }: { readonly trace: string }): ReactElement {
  const search = useTraceSearch(trace);
  const back = addressOf('live');
  useKeys({ Escape: () => go(back) });
  const [event, ...others] = search.items;
  return (
    <section className="view" aria-label="Exchange">
      <header className="head">
        <Link className="btn ic" to={back} label="Back to Live">
          <Icon name="back" />
        </Link>
        <h1>Exchange</h1>
        <span className="sub mono el">
          <Clean text={trace} max={40} />
        </span>
        {others.length === 0 ? null : (
          <span className="sub">{others.length} more events have this trace</span>
        )}
      </header>
      {event === undefined ? (
        <NotFound search={search} />
      ) : (
        <article className="drawer page">
          <ExchangeDetail event={event} />
        </article>
      )}
    </section>
  );
}

function NotFound({ search }: { readonly search: ReturnType<typeof useTraceSearch> }): ReactElement {
  const { fault, isSearching, next, searchedTo, further } = search;
  return (
    <div className="empty">
      <p>{fault ?? (isSearching ? 'Looking for it…' : notFoundText(next, searchedTo))}</p>
      {isSearching || (next === undefined && fault === undefined) ? null : (
        <button type="button" className="btn" onClick={further}>
          {fault === undefined ? 'Further back' : 'Try again'}
        </button>
      )}
    </div>
  );
}

function notFoundText(next: string | undefined, searchedTo: string | undefined): string {
  if (next === undefined) return 'No event of the audit has that trace.';
  const to =
    searchedTo === undefined ? '' : `, searched to ${momentText(Date.parse(searchedTo), Date.now())}`;
  return `No event with that trace so far${to}.`;
}
