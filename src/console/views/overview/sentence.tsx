// One sentence that says whether all is well.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { ageText, countText, momentText, plural } from '../../model/display.ts';
import type { EventTotals } from '../../model/event-totals.ts';
import { Link } from '../../parts/link.tsx';
import { addressOf } from '../../parts/location.ts';
import { Clean } from '../../parts/clean.tsx';
import type { useGateways } from './gateways.tsx';
import { type Asked, useAsked, useFeed, useNow } from '../../parts/operator.ts';

interface SentenceProps {
  readonly health: Asked<OutputOf<'health'>>;
  readonly totals: EventTotals;
  readonly gateways: ReturnType<typeof useGateways>;
  readonly waiting: OutputOf<'accessRequests'> | undefined;
}

export function Sentence({ health, totals, gateways, waiting }: SentenceProps): ReactElement {
  const { held } = useFeed();
  const now = useNow(5000);
  const sessions = useAsked({ operation: 'sessions', path: '/v1/sessions', everyMs: 5000 }).value;
  const alive = sessions?.items.filter(({ tunnels }) => tunnels > 0).length;
  const least = sessions?.next === undefined ? '' : 'at least ';
  const { denied } = totals.all;
  const since = held.sinceMs === undefined ? '' : ` since ${momentText(held.sinceMs, now)}`;
  return (
    <p className="say">
      <Clean text={healthText(health, gateways, now)} />{' '}
      {alive === undefined ? '' : `${least}${plural(alive, 'session is', 'sessions are')} connected. `}
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
      <Waiting found={waiting} now={now} />
    </p>
  );
}

/** What is wrong comes first: what was known before is then of before. */
function healthText(
  { value, fault, atMs }: Asked<OutputOf<'health'>>,
  gateways: SentenceProps['gateways'],
  now: number,
): string {
  if (fault !== undefined)
    return atMs === undefined ? fault : `${fault} What follows is as of ${momentText(atMs, now)}.`;
  if (value === undefined) return 'Looking…';
  if (!value.ready) return 'This gateway is not ready.';
  const known = (gateways ?? []).filter(({ state }) => state !== 'left');
  if (known.length < 2) return 'The gateway serves.';
  const serving = known.filter(({ state }) => state === 'serving').length;
  return serving === known.length
    ? `All ${countText(known.length)} gateways serve.`
    : `${countText(serving)} of ${plural(known.length, 'gateway', 'gateways')} serve.`;
}

function sessionsText({ bySession }: EventTotals): string {
  const count = [...bySession.values()].filter(({ denied }) => denied > 0).length;
  return `of ${plural(count, 'session', 'sessions')}`;
}

interface WaitingProps {
  readonly found: OutputOf<'accessRequests'> | undefined;
  readonly now: number;
}

/** Held requests too: their client waits until somebody says what becomes of them. */
function Waiting({ found, now }: WaitingProps): ReactElement | null {
  if (found === undefined) return null;
  const { items, next } = found;
  if (items.length === 0) return <>Nobody waits for access.</>;
  const isHeld = items.every(({ question }) => question !== undefined);
  const name = isHeld ? 'request that is held' : 'request for access';
  const names = isHeld ? 'requests that are held' : 'requests for access';
  const oldest = Math.min(...items.map(({ created }) => Date.parse(created)));
  const age = now - oldest;
  return (
    <>
      <Link to={addressOf('access')}>
        {next === undefined ? '' : 'more than '}
        {plural(items.length, name, names)}
      </Link>{' '}
      {items.length === 1 ? 'waits' : 'wait'}
      {next === undefined ? `, the oldest for ${ageText(age)}` : ''}.
    </>
  );
}
