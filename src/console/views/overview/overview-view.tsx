// Overview: is all well, and what needs you.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { clockTime, countText, durationText, momentText, plural, shortPlace } from '../../model/display.ts';
import type { EventTotals } from '../../model/event-totals.ts';
import { barsFor, gateBars } from '../../model/gate-line.ts';
import { Bars } from '../../parts/bars.tsx';
import { Clean, Host } from '../../parts/clean.tsx';
import { GateLine } from '../../parts/gate-line.tsx';
import { Link } from '../../parts/link.tsx';
import { addressOf, go, type Place } from '../../parts/location.ts';
import { type Asked, useAsked, useFeed, useNow } from '../../parts/operator.ts';
import { Segments } from '../../parts/segments.tsx';
import { useTotals } from '../../parts/totals.ts';
import { NeedsYou } from './needs-you.tsx';
import { Sentence } from './sentence.tsx';

const spans = [
  { value: '1', name: '1 h' },
  { value: '24', name: '24 h' },
  { value: '168', name: '7 d' },
] as const;
const topCount = 5;
const barsMax = 96;

export function OverviewView({ place }: { readonly place: Place }): ReactElement {
  const hours = spans.find(({ value }) => value === place.query.get('hours'))?.value ?? '1';
  const totals = useTotals();
  const health = useAsked({ operation: 'health', path: '/v1/health', everyMs: 5000 });
  const policy = useAsked({ operation: 'policy', path: '/v1/policy', everyMs: 10_000 });
  return (
    <section className="view" aria-label="Overview">
      <header className="head">
        <h1>Overview</h1>
        <span className="sp" />
        <Segments
          label="How long"
          value={hours}
          choices={spans}
          choose={(next) => go(addressOf('overview', '', { hours: next }), { replace: true })}
        />
      </header>
      <div className="ov" tabIndex={0} role="region" aria-label="All of it">
        <Sentence health={health} totals={totals} />
        <div className="ovg">
          <Requests totals={totals} hours={Number(hours)} />
          <NeedsYou health={health.value} totals={totals} />
          <Tops totals={totals} />
          <Unused policy={policy.value} totals={totals} />
          <Gateway health={health} />
        </div>
      </div>
    </section>
  );
}

function Requests({ totals, hours }: { readonly totals: EventTotals; readonly hours: number }): ReactElement {
  const { held } = useFeed();
  const now = useNow(5000);
  const { bars: count, barMs } = barsFor(hours * 3_600_000, barsMax);
  const bars = gateBars(totals.bins, { endMs: now, bars: count, barMs, heldSinceMs: held.sinceMs });
  const most = Math.max(0, ...bars.map(({ passed }) => passed));
  const mostStopped = Math.max(0, ...bars.map(({ stopped }) => stopped));
  const isPartly = bars.some(({ isKnown }) => !isKnown);
  return (
    <section>
      <div className="sech">
        <h2>Requests</h2>
        <span className="sub">
          allowed above the line, denied below it, each side on its own scale
          {isPartly ? '; what is shaded is not held here' : ''}
        </span>
      </div>
      <div className="big">
        <GateLine bars={bars} height={168} base={118} gap={1.5} />
        <span className="axis up">
          allowed, {countText(most)} in {durationText(barMs)} at most
        </span>
        <span className="axis down">
          denied, {countText(mostStopped)} in {durationText(barMs)} at most
        </span>
        <div className="ends">
          <span>
            {hours > 1
              ? momentText(bars[0]?.startMs ?? now, now)
              : clockTime(bars[0]?.startMs ?? now).time.slice(0, 5)}
          </span>
          <span>now</span>
        </div>
      </div>
    </section>
  );
}

function Tops({ totals }: { readonly totals: EventTotals }): ReactElement {
  const lists = [
    { name: 'Denied most', tops: totals.deniedMost(topCount), isDenied: true },
    { name: 'Allowed most', tops: totals.allowedMost(topCount), isDenied: false },
  ];
  return (
    <div className="two">
      {lists.map(({ name, tops, isDenied }) => (
        <section key={name}>
          <div className="sech">
            <h2>{name}</h2>
            <span className="sub">destination and rule</span>
          </div>
          {tops.length === 0 ? <p className="m2">none, as far as events are held</p> : null}
          <Bars
            bars={tops.map(({ host, rule, count }) => ({
              key: `${host} ${rule}`,
              count,
              isDenied,
              name: (
                <>
                  <Host host={host} />{' '}
                  <span className="m2">
                    <Clean text={rule} max={80} />
                  </span>
                </>
              ),
            }))}
          />
        </section>
      ))}
    </div>
  );
}

interface UnusedProps {
  readonly policy: OutputOf<'policy'> | undefined;
  readonly totals: EventTotals;
}

function Unused({ policy, totals }: UnusedProps): ReactElement {
  const { held } = useFeed();
  const rules = policy?.rules.filter(({ name }) => !totals.byRule.has(name)) ?? [];
  return (
    <section>
      <div className="sech">
        <h2>Rules nobody used</h2>
        <span className="sub">
          {held.sinceMs === undefined ? 'in all events' : `since ${momentText(held.sinceMs, Date.now())}`}
        </span>
      </div>
      {policy !== undefined && rules.length === 0 ? <p className="m2">each was used</p> : null}
      <div className="bars">
        {rules.slice(0, 8).map(({ name, place }) => (
          <div className="pairline" key={name}>
            <Link className="el" to={addressOf('policy')}>
              <Clean text={name} max={80} />
            </Link>
            <span className="sub el">
              <Clean text={shortPlace(place)} max={80} />
            </span>
          </div>
        ))}
      </div>
    </section>
  );
}

function Gateway({
  health: { value, fault, atMs },
}: {
  readonly health: Asked<OutputOf<'health'>>;
}): ReactElement | null {
  if (value === undefined) return null;
  const { version, tunnels, started, now, policy, audit, followers } = value;
  const up = Math.floor((Date.parse(now) - Date.parse(started)) / 60_000) * 60_000;
  return (
    <section>
      <div className="sech">
        <h2>This gateway</h2>
        <span className="sub">
          the one that serves this page
          {fault === undefined ? '' : `, as of ${momentText(atMs ?? 0, Date.now())}`}
        </span>
      </div>
      <dl className="kv">
        <dt>version</dt>
        <dd>{version}</dd>
        <dt>up for</dt>
        <dd>{up < 60_000 ? 'less than a minute' : durationText(up)}</dd>
        {tunnels === undefined ? null : (
          <>
            <dt>tunnels</dt>
            <dd>{countText(tunnels)}</dd>
          </>
        )}
        <dt>policy</dt>
        <dd className="mono">{policy.version}</dd>
        <dt>audit</dt>
        <dd>{audit}</dd>
        {followers === undefined ? null : (
          <>
            <dt>following</dt>
            <dd>{plural(followers, 'page or program', 'pages or programs')}</dd>
          </>
        )}
      </dl>
    </section>
  );
}
