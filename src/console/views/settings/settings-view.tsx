// Settings: who is logged in, tokens of people and programs, and the limits of the gateway.

import { type ReactElement, useState } from 'react';
import { coversRole } from '../../../api/admin/roles.ts';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { countText, momentText } from '../../model/display.ts';
import { AsOf } from '../../parts/as-of.tsx';
import { Clean } from '../../parts/clean.tsx';
import { useAsked, useDesk } from '../../parts/operator.ts';
import { switchTheme } from '../../parts/theme.ts';
import { AdvisoriesSection } from './advisories-section.tsx';
import { TokensSection } from './tokens-section.tsx';

export function SettingsView(): ReactElement {
  const { who } = useDesk();
  return (
    <section className="view" aria-label="Settings">
      <header className="head">
        <h1>Settings</h1>
        <span className="sub hm el">
          What the configuration says is changed in its file; the gateway takes it at its next start.
        </span>
      </header>
      <div className="ov set" tabIndex={0} role="region" aria-label="All settings">
        <You />
        {who.by === 'link' ? null : <TokensSection isAllowed={coversRole(who.role, 'administrator')} />}
        <AdvisoriesSection />
        <Limits isAllowed={who.sees === undefined} />
      </div>
    </section>
  );
}

function You(): ReactElement {
  const { who, signOut } = useDesk();
  const { name, role, by, sees, expires, person } = who;
  const ways = {
    link: 'the link of this run',
    token: 'a token',
    socket: 'the socket',
    oidc: 'the identity provider',
  };
  return (
    <section className="sec" aria-label="You">
      <div className="sech">
        <h2>You</h2>
      </div>
      <dl className="kv">
        {person === undefined ? (
          <>
            <dt>name</dt>
            <dd>
              <Clean text={name} max={200} />
            </dd>
          </>
        ) : (
          <PersonLines person={person} />
        )}
        <dt>role</dt>
        <dd>{role}</dd>
        <dt>known by</dt>
        <dd>{ways[by]}</dd>
        <dt>until</dt>
        <dd>{expires === undefined ? 'no time' : momentText(Date.parse(expires), Date.now())}</dd>
        <dt>sees</dt>
        <dd>{sees === undefined ? 'all sessions' : <Clean text={JSON.stringify(sees)} max={400} />}</dd>
      </dl>
      <div className="acts after">
        <button type="button" className="btn" onClick={switchTheme}>
          Light or dark<kbd className="hm">T</kbd>
        </button>
        <button type="button" className="btn" onClick={signOut}>
          Log out
        </button>
      </div>
    </section>
  );
}

/** Subject and issuer are who it is; name and address are what the provider calls them. */
function PersonLines({ person }: { readonly person: NonNullable<OutputOf<'who'>['person']> }): ReactElement {
  const { name, email, subject, issuer } = person;
  return (
    <>
      {name === undefined ? null : (
        <>
          <dt>name</dt>
          <dd>
            <Clean text={name} max={200} />
          </dd>
        </>
      )}
      {email === undefined ? null : (
        <>
          <dt>e-mail</dt>
          <dd>
            <Clean text={email} max={200} />
          </dd>
        </>
      )}
      <dt>subject</dt>
      <dd className="mono">
        <Clean text={subject} max={255} />
      </dd>
      <dt>issuer</dt>
      <dd className="mono">
        <Clean text={issuer} max={400} />
      </dd>
    </>
  );
}

/** A limit that was reached stands first. */
function Limits({ isAllowed }: { readonly isAllowed: boolean }): ReactElement {
  const asked = useAsked({
    operation: 'limits',
    path: isAllowed ? '/v1/limits' : undefined,
    everyMs: 10_000,
  });
  const [query, setQuery] = useState('');
  const items = (asked.value?.items ?? [])
    .filter(({ name, reason }) => `${name} ${reason}`.toLowerCase().includes(query.trim().toLowerCase()))
    .toSorted((a, b) => b.reached - a.reached);
  return (
    <section className="sec" aria-label="Limits">
      <div className="sech">
        <h2>Limits</h2>
        <span className="sub">each with its reason; how often it was reached since the start</span>
      </div>
      <AsOf asked={asked} />
      {isAllowed ? (
        <input
          className="field"
          aria-label="Find limits"
          placeholder="name or reason"
          maxLength={100}
          value={query}
          onChange={(event) => setQuery(event.target.value)}
        />
      ) : (
        <p className="m2">You see only some sessions, and limits are of all of them together.</p>
      )}
      <div role="table" aria-label="Limits" className="limits">
        {items.map((limit) => (
          <LimitLine key={limit.name} limit={limit} />
        ))}
      </div>
      {isAllowed && asked.value === undefined ? <p className="m2">{asked.fault ?? 'Looking…'}</p> : null}
    </section>
  );
}

function LimitLine({ limit }: { readonly limit: OutputOf<'limits'>['items'][number] }): ReactElement {
  const { name, value, reason, reached } = limit;
  return (
    <div role="row" className="lim">
      <span role="cell" className="mono el">
        {name}
      </span>
      <span role="cell" className="r">
        {value.toLocaleString('en-US')}
      </span>
      <span role="cell" className={`r ${reached > 0 ? 'fault' : 'm'}`}>
        {reached === 0 ? 'not reached' : countText(reached)}
      </span>
      <span role="cell" className="m2">
        {reason}
      </span>
    </div>
  );
}
