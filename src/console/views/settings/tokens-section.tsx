// Tokens of people and programs for the admin API. One that is made is shown once, and never in an address.

import { type ReactElement, useState } from 'react';
import { type AdminRole, adminRoles } from '../../../api/admin/roles.ts';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { faultText, segment } from '../../api/admin-client.ts';
import { momentText } from '../../model/display.ts';
import { Clean } from '../../parts/clean.tsx';
import { copyText, pageClipboard } from '../../parts/copy-text.ts';
import { useAsked, useDesk } from '../../parts/operator.ts';
import { Segments } from '../../parts/segments.tsx';

type Token = OutputOf<'tokens'>['items'][number];

/** What a person is called; who it is, the audit says. */
function shownName({ name, person }: Pick<Token, 'name' | 'person'>): string {
  return person?.name ?? person?.email ?? name;
}

export function TokensSection({ isAllowed }: { readonly isAllowed: boolean }): ReactElement {
  const asked = useAsked({
    operation: 'tokens',
    path: isAllowed ? '/v1/tokens' : undefined,
    everyMs: 10_000,
  });
  const { client, say } = useDesk();
  const [ending, setEnding] = useState('');
  const revoke = async ({ id, name, person }: Token): Promise<void> => {
    setEnding('');
    try {
      await client.remove('revokeToken', `/v1/tokens/${segment(id)}`);
      say(`The ${person === undefined ? 'token' : 'session'} of ${shownName({ name, person })} was revoked.`);
      asked.again();
    } catch (error) {
      say(faultText(error));
    }
  };
  return (
    <section className="sec" aria-label="Tokens">
      <div className="sech">
        <h2>Tokens and sessions</h2>
        <span className="sub">of people and programs; the store has their digests alone</span>
      </div>
      {isAllowed ? <NewToken made={asked.again} /> : <p className="m2">This needs the role administrator.</p>}
      <div className="limits">
        {(asked.value?.items ?? []).map((token) => (
          <TokenLine
            key={token.id}
            token={token}
            isEnding={ending === token.id}
            end={() => (ending === token.id ? void revoke(token) : setEnding(token.id))}
          />
        ))}
      </div>
      {asked.fault === undefined ? null : (
        <p className="fault">
          <Clean text={asked.fault} />
        </p>
      )}
    </section>
  );
}

interface TokenLineProps {
  readonly token: Token;
  readonly isEnding: boolean;
  readonly end: () => void;
}

function TokenLine({ token, isEnding, end }: TokenLineProps): ReactElement {
  return (
    <div className="tok">
      <span className="el">
        <b>
          <Clean text={shownName(token)} max={100} />
        </b>{' '}
        <span className="m2">
          {token.role}
          {token.person === undefined ? '' : ', logged in'}
        </span>
      </span>
      <span className="m2">until {momentText(Date.parse(token.expires), Date.now())}</span>
      <span className="m2">
        {token.lastUsed === undefined
          ? 'not used'
          : `used ${momentText(Date.parse(token.lastUsed), Date.now())}`}
      </span>
      <button type="button" className={`btn ${isEnding ? 'd' : ''}`} onClick={end}>
        {isEnding ? 'Revoke it now' : 'Revoke…'}
      </button>
    </div>
  );
}

const lifetimes = [
  { value: '28800', name: '8 h' },
  { value: '604800', name: '7 d' },
  { value: '7776000', name: '90 d' },
] as const;

function NewToken({ made }: { readonly made: () => void }): ReactElement {
  const { client } = useDesk();
  const [name, setName] = useState('');
  const [role, setRole] = useState<AdminRole>('viewer');
  const [seconds, setSeconds] = useState<(typeof lifetimes)[number]['value']>('28800');
  const [token, setToken] = useState('');
  const [fault, setFault] = useState('');
  const make = async (): Promise<void> => {
    setFault('');
    try {
      const body = { name: name.trim(), role, seconds: Number(seconds) };
      setToken((await client.post('makeToken', '/v1/tokens', body)).token);
      setName('');
      made();
    } catch (error) {
      setFault(faultText(error));
    }
  };
  return (
    <div className="panel">
      <div className="pad">
        <div className="form">
          <label htmlFor="token-name">Name</label>
          <input
            id="token-name"
            className="field"
            maxLength={100}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
          <span>Role</span>
          <Segments
            label="Role"
            value={role}
            choices={adminRoles.map((value) => ({ value, name: value }))}
            choose={setRole}
          />
          <span>For</span>
          <Segments label="For" value={seconds} choices={lifetimes} choose={setSeconds} />
        </div>
        <div className="acts after">
          <button type="button" className="btn p" disabled={name.trim() === ''} onClick={() => void make()}>
            Make a token
          </button>
          {token === '' ? null : <Made token={token} forget={() => setToken('')} />}
          {fault === '' ? null : (
            <span className="fault" role="alert">
              <Clean text={fault} />
            </span>
          )}
        </div>
      </div>
    </div>
  );
}

function Made({ token, forget }: { readonly token: string; readonly forget: () => void }): ReactElement {
  const { say } = useDesk();
  return (
    <>
      <span className="mono el">{token}</span>
      <button
        type="button"
        className="btn"
        onClick={() => void copyText(token, 'the token', pageClipboard()).then(say)}
      >
        Copy
      </button>
      <button type="button" className="btn q" onClick={forget}>
        Forget it; it is shown this once
      </button>
    </>
  );
}
