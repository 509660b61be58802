// Credentials: names and kinds, and when each was used. There is no way to a value.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { countText, momentText, unknownMark } from '../../model/display.ts';
import { AsOf } from '../../parts/as-of.tsx';
import { Clean } from '../../parts/clean.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Link } from '../../parts/link.tsx';
import { addressOf } from '../../parts/location.ts';
import { useAsked } from '../../parts/operator.ts';

const columns = [
  ['name', ''],
  ['kind', 'hm'],
  ['what the workload sees', 'hm'],
  ['state', ''],
  ['24 h', 'r hm'],
  ['last used', 'r'],
  ['last error', 'hm'],
] as const;

export function CredentialsView(): ReactElement {
  const asked = useAsked({ operation: 'credentials', path: '/v1/credentials', everyMs: 5000 });
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
            <CredentialLine key={one.name} credential={one} />
          ))}
        </div>
      )}
      {items.length === 0 ? null : (
        <p className="gh">
          Over all gateways. An error is why it could not be had, or that the origin did not accept it; other
          failures say nothing of it.
        </p>
      )}
    </section>
  );
}

type Credential = OutputOf<'credentials'>['items'][number];

const states: Readonly<Record<NonNullable<Credential['state']>, readonly [string, string]>> = {
  works: ['works', 'm2'],
  failing: ['fails', 'fault'],
  unused: ['not used', 'm'],
  unknown: [unknownMark, 'm'],
};

function CredentialLine({ credential }: { readonly credential: Credential }): ReactElement {
  const { name, kind, variables, state = 'unknown', lastUsed, recent, lastError } = credential;
  const [said, style] = states[state];
  const now = Date.now();
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
      <span className={style} role="cell">
        {said}
      </span>
      <span className="r m2 hm" role="cell">
        {recent === undefined ? unknownMark : countText(recent.allowed + recent.denied + recent.failed)}
      </span>
      <span className="r m2" role="cell">
        {lastUsed === undefined ? unknownMark : momentText(Date.parse(lastUsed), now)}
      </span>
      <span className="m2 hm el" role="cell">
        {lastError === undefined ? (
          <span className="m">{state === 'unknown' ? unknownMark : 'none'}</span>
        ) : (
          <ErrorOf error={lastError} now={now} />
        )}
      </span>
    </div>
  );
}

function ErrorOf({
  error: { time, code, trace },
  now,
}: {
  readonly error: NonNullable<Credential['lastError']>;
  readonly now: number;
}): ReactElement {
  const text = (
    <>
      {code === 'status_401' ? 'the origin responded 401' : <Clean text={code} max={80} />}{' '}
      {momentText(Date.parse(time), now)}
    </>
  );
  return trace === undefined ? text : <Link to={addressOf('exchange', trace)}>{text}</Link>;
}
