// Log-in: at the identity provider, where the gateway has one, or by an operator's token. A token is held in this tab, sent as a header, and
// never stands in an address.

import { type FormEvent, type ReactElement, useEffect, useRef, useState } from 'react';
import { logInPath } from '../api/admin/log-in-path.ts';
import { ApiFault, askLogInWays, faultText } from './api/admin-client.ts';
import { Clean } from './parts/clean.tsx';
import { Brand } from './parts/icon.tsx';

interface LoginProps {
  /** From before the page was loaded anew. */
  readonly kept: string;
  readonly reason: string;
  readonly enter: (token: string) => Promise<void>;
  /** Where the page was opened by a link of `run --ui`. */
  readonly byLink: (() => Promise<void>) | undefined;
  /** By a session that the browser may have. */
  readonly bySession: () => Promise<void>;
}

export function Login({ kept, reason, enter, byLink, bySession }: LoginProps): ReactElement {
  const [fault, setFault] = useState('');
  const [isAsking, setAsking] = useState(false);
  const [provider, setProvider] = useState<string>();
  const tried = useRef(false);
  const ask = async (run: () => Promise<void>): Promise<void> => {
    setAsking(true);
    setFault('');
    try {
      await run();
    } catch (error) {
      setFault(faultText(error));
      setAsking(false);
    }
  };
  const look = async (): Promise<void> => {
    const { provider: found } = await askLogInWays((...asked) => fetch(...asked));
    setProvider(found);
    // Who was just told why they are not logged in any more reads that first.
    if (found === undefined || reason !== '' || kept !== '') return setAsking(false);
    try {
      await bySession();
    } catch (error) {
      if (!(error instanceof ApiFault) || error.status !== 401) throw error;
      setAsking(false);
    }
  };
  useEffect(() => {
    if (tried.current) return;
    tried.current = true;
    if (byLink !== undefined) return void ask(byLink);
    void ask(look).then(() => (kept === '' ? undefined : ask(() => enter(kept))));
  });
  return (
    <main className="login">
      <div className="ways">
        <h1 className="brand">
          <Brand />
          upstreamproxy
        </h1>
        <p id="login-told" role="alert" className={fault === '' ? 'm2' : 'fault'}>
          <Clean text={fault === '' ? reason : fault} max={400} />
        </p>
        {provider === undefined ? null : <ProviderLink provider={provider} />}
        <TokenForm
          isAsking={isAsking}
          enter={(token) => void ask(() => enter(token))}
          isFirst={provider === undefined}
        />
        <TokenNote />
      </div>
    </main>
  );
}

/** Back from there, the page is the one that was looked at. */
function ProviderLink({ provider }: { readonly provider: string }): ReactElement {
  const to = `${location.pathname}${location.search}`;
  return (
    <a className="btn p" href={`${logInPath}?${new URLSearchParams({ to }).toString()}`}>
      <span className="el">
        Log in at <Clean text={provider} max={80} />
      </span>
    </a>
  );
}

interface TokenFormProps {
  readonly isAsking: boolean;
  readonly enter: (token: string) => void;
  readonly isFirst: boolean;
}

function TokenForm({ isAsking, enter, isFirst }: TokenFormProps): ReactElement {
  const [token, setToken] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (token.trim() !== '') enter(token.trim());
  };
  return (
    <form onSubmit={submit} autoComplete="off">
      <label>
        Operator token
        <input
          className="field"
          type="password"
          name="operator-token"
          autoComplete="off"
          spellCheck={false}
          placeholder="upadm_…"
          value={token}
          aria-describedby="login-told"
          onChange={(event) => setToken(event.target.value)}
        />
      </label>
      <button className={isFirst ? 'btn p' : 'btn'} type="submit" disabled={isAsking || token.trim() === ''}>
        Log in{isFirst ? '' : ' by token'}
      </button>
    </form>
  );
}

function TokenNote(): ReactElement {
  return (
    <p className="sub">
      An administrator makes one with{' '}
      <span className="mono">upstreamproxy operator token --name NAME --role viewer --for 8h</span>. It stays
      in this tab until you log out or close it. The console of a run opens by the link that{' '}
      <span className="mono">upstreamproxy run --ui</span> prints, once.
    </p>
  );
}
