// Overview: is all well, and what needs you.

import type { ReactElement } from 'react';
import type { EventTotals } from '../../model/event-totals.ts';
import { Bars } from '../../parts/bars.tsx';
import { Clean, Host } from '../../parts/clean.tsx';
import { addressOf, go, type Place } from '../../parts/location.ts';
import { useAsked } from '../../parts/operator.ts';
import { Segments } from '../../parts/segments.tsx';
import { useTotals } from '../../parts/totals.ts';
import { useUses } from '../../parts/uses.ts';
import { AddedTime } from './added-time.tsx';
import { Gateways, useGateways } from './gateways.tsx';
import { NeedsYou } from './needs-you.tsx';
import { Requests } from './requests.tsx';
import { Sentence } from './sentence.tsx';
import { UnusedRules } from './unused-rules.tsx';

const spans = [
  { value: '1', name: '1 h' },
  { value: '24', name: '24 h' },
  { value: '168', name: '7 d' },
  { value: '720', name: '30 d' },
] as const;
const topCount = 5;
const pending = { state: 'pending' } as const;

export function OverviewView({ place }: { readonly place: Place }): ReactElement {
  const hours = spans.find(({ value }) => value === place.query.get('hours'))?.value ?? '1';
  const totals = useTotals();
  const health = useAsked({ operation: 'health', path: '/v1/health', everyMs: 5000 });
  const policy = useAsked({ operation: 'policy', path: '/v1/policy', everyMs: 10_000 });
  const gateways = useGateways();
  const waiting = useAsked({
    operation: 'accessRequests',
    path: '/v1/access',
    query: pending,
    everyMs: 3000,
  }).value;
  const uses = useUses('rule');
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
        <Sentence health={health} totals={totals} gateways={gateways} waiting={waiting} />
        <div className="ovg">
          <Requests totals={totals} hours={Number(hours)} />
          <NeedsYou health={health.value} totals={totals} gateways={gateways} waiting={waiting} />
          <Tops totals={totals} />
          <AddedTime totals={totals} hours={Number(hours)} />
          <Gateways health={health} gateways={gateways} />
          <UnusedRules policy={policy.value} uses={uses} totals={totals} />
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
