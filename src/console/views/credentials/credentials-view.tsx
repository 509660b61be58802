// Credentials: names and kinds, and when each was used. There is no way to a value.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { countText, momentText, unknownMark } from '../../model/display.ts';
import type { Total } from '../../model/event-totals.ts';
import { AsOf } from '../../parts/as-of.tsx';
import { Clean } from '../../parts/clean.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Link } from '../../parts/link.tsx';
import { addressOf } from '../../parts/location.ts';
import { useAsked, useFeed } from '../../parts/operator.ts';
import { useTotals } from '../../parts/totals.ts';

const columns = [
  ['name', ''],
  ['kind', 'hm'],
  ['what the workload sees', 'hm'],
  ['used', 'r'],
  ['last used', 'r'],
  ['last error', 'hm'],
] as const;

export function CredentialsView(): ReactElement {
  const asked = useAsked({ operation: 'credentials', path: '/v1/credentials', everyMs: 30_000 });
  const totals = useTotals();
  const { held } = useFeed();
  const items = asked.value?.items ?? [];
  return (
    <section className="view cred" aria-label="Credentials">
      <header className="head">
        <h1>Credentials</h1>
        <span className="sub hm el">
          Names and kinds. Values stay in the gateway; nothing here leads to one.
        </span>
      </header>
      <AsOf asked={asked} />
      {asked.value === undefined ? <p className="empty">{asked.fault ?? 'Looking for them…'}</p> : null}
      {asked.value !== undefined && items.length === 0 ? (
        <p className="empty">The configuration has none.</p>
      ) : (
        <div className="rows" role="table" aria-label="Credentials">
          <div className="tr th" role="row">
            {columns.map(([name, style]) => (
              <span key={name} className={style} role="columnheader">
                {name}
              </span>
            ))}
          </div>
          {items.map((one) => (
            <CredentialLine key={one.name} credential={one} total={totals.byCredential.get(one.name)} />
          ))}
        </div>
      )}
      {items.length === 0 ? null : (
        <p className="gh">
          Use is counted{' '}
          {held.sinceMs === undefined
            ? 'over all events.'
            : `since ${momentText(held.sinceMs, Date.now())}, as far as events are held.`}
        </p>
      )}
    </section>
  );
}

interface CredentialLineProps {
  readonly credential: OutputOf<'credentials'>['items'][number];
  readonly total: Total | undefined;
}

function CredentialLine({ credential: { name, kind, variables }, total }: CredentialLineProps): ReactElement {
  return (
    <div className="tr" role="row">
      <span role="cell">
        <Link className="key" to={addressOf('live', '', { q: `credential:${name}` })}>
          <Icon name="key" size={12} />
          <Clean text={name} max={120} />
        </Link>
      </span>
      <span className="m2 hm" role="cell">
        {kind}
      </span>
      <span className="m2 mono el hm" role="cell">
        <Clean text={variables.join(', ')} max={200} />
      </span>
      <span className="r m2" role="cell">
        {total === undefined ? <span className="m">not used</span> : countText(total.passed + total.failed)}
      </span>
      <span className="r m2" role="cell">
        {total === undefined ? unknownMark : momentText(total.lastMs, Date.now())}
      </span>
      <span className="m2 hm" role="cell">
        <Clean text={total?.lastError ?? unknownMark} max={80} />
      </span>
    </div>
  );
}
