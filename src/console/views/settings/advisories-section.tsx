// What is known against packages, and how old that is.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { ageText, countText, momentText } from '../../model/display.ts';
import { AsOf } from '../../parts/as-of.tsx';
import { Clean } from '../../parts/clean.tsx';
import { useAsked, useNow } from '../../parts/operator.ts';

type Advisories = NonNullable<OutputOf<'health'>['advisories']>;

export function AdvisoriesSection(): ReactElement {
  const asked = useAsked({ operation: 'health', path: '/v1/health', everyMs: 10_000 });
  const known = asked.value?.advisories;
  return (
    <section className="sec" aria-label="Advisories">
      <div className="sech">
        <h2>Advisories</h2>
        <span className="sub">
          what is known against packages, as rules with advisories or malware look it up
        </span>
      </div>
      <AsOf asked={asked} />
      {asked.value === undefined ? <p className="m2">{asked.fault ?? 'Looking…'}</p> : null}
      {asked.value !== undefined && known === undefined ? (
        <p className="m2">The configuration names no index of them.</p>
      ) : null}
      {known === undefined ? null : <Known advisories={known} />}
    </section>
  );
}

function Known({ advisories }: { readonly advisories: Advisories }): ReactElement {
  const now = useNow(10_000);
  const { state, staleSeconds, imported, registries } = advisories;
  const words = {
    fresh: 'fresh',
    stale: `old, for ${ageText(staleSeconds * 1000)}`,
    unreadable: 'none that can be read, so rules that look at them allow nothing',
  };
  return (
    <dl className="kv">
      <dt>they are</dt>
      <dd className={state === 'fresh' ? '' : 'fault'}>{words[state]}</dd>
      <dt>imported</dt>
      <dd>{imported === undefined ? 'at no time' : momentText(Date.parse(imported), now)}</dd>
      {registries.map(({ registry, packages, advisories: count, newest }) => (
        <div key={registry} className="pair">
          <dt>
            <Clean text={registry} max={40} />
          </dt>
          <dd>
            {countText(count)} about {countText(packages)} packages
            {newest === undefined ? '' : `, the newest changed ${ageText(now - Date.parse(newest))} ago`}
          </dd>
        </div>
      ))}
    </dl>
  );
}
