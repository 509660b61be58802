// One sentence that says whether all is well.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { ageText, countText, momentText, plural } from '../../model/display.ts';
import type { EventTotals } from '../../model/event-totals.ts';
import { Link } from '../../parts/link.tsx';
import { addressOf } from '../../parts/location.ts';
import { useAsked, useFeed, useNow } from '../../parts/operator.ts';

interface SentenceProps {
  readonly health: OutputOf<'health'> | undefined;
  readonly fault: string | undefined;
  readonly totals: EventTotals;
}

export function Sentence({ health, fault, totals }: SentenceProps): ReactElement {
  const { held } = useFeed();
  const now = useNow(5000);
  const sessions = useAsked({ operation: 'sessions', path: '/v1/sessions', everyMs: 5000 }).value?.items;
  const alive = sessions?.filter(({ tunnels }) => tunnels > 0).length;
  const { denied } = totals.all;
  const since = held.sinceMs === undefined ? '' : ` since ${momentText(held.sinceMs, now)}`;
  return (
    <p className="say">
      {health === undefined
        ? (fault ?? 'Looking…')
        : health.ready
          ? 'The gateway serves.'
          : 'The gateway is not ready.'}{' '}
      {alive === undefined ? '' : `${plural(alive, 'session is', 'sessions are')} connected. `}
      {held.events.length === 0 ? null : denied === 0 ? (
        `Nothing was denied${since}. `
      ) : (
        <>
          <Link className="dn" to={addressOf('live', '', { q: 'verdict:deny' })}>
            {plural(denied, 'request was', 'requests were')} denied
          </Link>
          {since}, {sessionsText(totals)}.{' '}
        </>
      )}
      <Waiting now={now} />
    </p>
  );
}

function sessionsText({ bySession }: EventTotals): string {
  const count = [...bySession.values()].filter(({ denied }) => denied > 0).length;
  return `of ${plural(count, 'session', 'sessions')}`;
}

function Waiting({ now }: { readonly now: number }): ReactElement | null {
  const query = { state: 'pending' };
  const items = useAsked({ operation: 'accessRequests', path: '/v1/access', query, everyMs: 3000 }).value
    ?.items;
  if (items === undefined) return null;
  if (items.length === 0) return <>Nobody waits for access.</>;
  const oldest = Math.min(...items.map(({ created }) => Date.parse(created)));
  const age = now - oldest;
  return (
    <>
      <Link to={addressOf('access')}>
        {countText(items.length)} {items.length === 1 ? 'request for access' : 'requests for access'}
      </Link>{' '}
      {items.length === 1 ? 'waits' : 'wait'}, the oldest for {ageText(age)}.
    </>
  );
}
