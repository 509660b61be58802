// What has not ended yet, above the list of what has: one line, and the rows when they are asked for.

import { type ReactElement, useState } from 'react';
import { ageText, clockTime, middleCut, plural, sessionName } from '../../model/display.ts';
import { markOf, methodOf, pathOf } from '../../model/event-facts.ts';
import { type Filter, filterMatcher } from '../../model/filter-language.ts';
import { type OpenExchange, openExchanges, openRowsMax, openSeconds } from '../../model/open-events.ts';
import { plainText } from '../../model/clean-text.ts';
import { AsOf } from '../../parts/as-of.tsx';
import { Clean, Host } from '../../parts/clean.tsx';
import { HeldNote } from '../../parts/held-note.tsx';
import { useHeldList } from '../../parts/held-list.ts';
import { Mark } from '../../parts/icon.tsx';
import { Link } from '../../parts/link.tsx';
import { addressOf } from '../../parts/location.ts';
import { useAsked, useNow } from '../../parts/operator.ts';

const everyMs = 2000;
const query = { seconds: String(openSeconds), count: String(openRowsMax) };

export function OpenRows({ filter }: { readonly filter: Filter }): ReactElement | null {
  const [isShown, setShown] = useState(false);
  const asked = useAsked({ operation: 'openExchanges', path: '/v1/exchanges/open', query, everyMs });
  const now = useNow(1000);
  const { value, atMs = now, fault } = asked;
  const all = value === undefined ? [] : openExchanges(value.items, value.now, Math.max(0, now - atMs));
  const matches = filterMatcher(filter, { nowMs: now });
  const fitting = all.filter(({ shown }) => matches(shown));
  const held = useHeldList('open', fitting);
  const [oldest] = fitting;
  if (oldest === undefined && held.items.length === 0) return null;
  const count = fitting.length < openRowsMax ? String(fitting.length) : `${openRowsMax} or more`;
  return (
    <section className="pins" aria-label="Still open">
      <div className="line">
        <b>Still open</b>
        <span className="sub">
          {count} for {openSeconds} s and longer
          {oldest === undefined ? '' : `, the oldest for ${ageText(oldest.openMs)}`}
        </span>
        <span className="sp" />
        <button type="button" className="btn" aria-expanded={isShown} onClick={() => setShown(!isShown)}>
          {isShown ? 'Hide' : `Show ${plural(fitting.length, 'row', 'rows')}`}
        </button>
      </div>
      {isShown ? (
        <>
          <AsOf asked={asked} />
          <HeldNote held={held} />
          <div
            className={`pinned open ${fault === undefined ? '' : 'dim'}`}
            tabIndex={0}
            role="region"
            aria-label="Exchanges that have not ended"
            {...held.handlers}
          >
            {held.items.map((one) => (
              <OpenRow key={one.id} one={one} />
            ))}
          </div>
        </>
      ) : null}
    </section>
  );
}

function OpenRow({ one: { shown, openMs } }: { readonly one: OpenExchange }): ReactElement {
  const { host, scheme, port, rule = '', sessionId = '' } = shown;
  return (
    <Link className={`tr ${markOf(shown)}`} to={addressOf('sessions', sessionId)}>
      <span>
        <Mark of={markOf(shown)} />
      </span>
      <span className="time hm m2">{clockTime(Date.parse(shown.time)).time}</span>
      <span className="who hm m2" title={plainText(sessionId)}>
        {sessionName(sessionId)}
      </span>
      <span className="meth">
        <Clean text={methodOf(shown)} max={16} />
      </span>
      <span className="dst el m2">
        <span className="u">
          {host === undefined ? null : <Host host={host} scheme={scheme} port={port} />}
          <Clean text={middleCut(pathOf(shown), 120)} />
        </span>
      </span>
      <span className="rl m2 el hm">
        <Clean text={rule} max={60} />
      </span>
      <span className="r m2">{ageText(openMs)}</span>
    </Link>
  );
}
