// One exchange as a page, by its trace: denials print one, and a link names one.

import type { ReactElement } from 'react';
import { Clean } from '../../parts/clean.tsx';
import { Icon } from '../../parts/icon.tsx';
import { useKeys } from '../../parts/keys.ts';
import { Link } from '../../parts/link.tsx';
import { addressOf, go } from '../../parts/location.ts';
import { useAsked } from '../../parts/operator.ts';
import { ExchangeDetail } from './exchange-drawer.tsx';

export function ExchangePage({ trace }: { readonly trace: string }): ReactElement {
  const asked = useAsked({ operation: 'exchanges', path: '/v1/exchanges', query: { trace, count: '20' } });
  const back = addressOf('live');
  useKeys({ Escape: () => go(back) });
  const [event, ...others] = asked.value?.items ?? [];
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
        <div className="empty">
          <p>
            {asked.fault ??
              (asked.value === undefined
                ? 'Looking for it…'
                : 'No event has that trace, as far as was looked.')}
          </p>
        </div>
      ) : (
        <article className="drawer page">
          <ExchangeDetail event={event} />
        </article>
      )}
    </section>
  );
}
