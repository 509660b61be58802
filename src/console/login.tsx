// Log-in by an operator's token. It is held in this tab, sent as a header, and never stands in an address.

import { type FormEvent, type ReactElement, useEffect, useRef, useState } from 'react';
import { faultText } from './api/admin-client.ts';
import { Brand } from './parts/icon.tsx';

interface LoginProps {
  /** From before the page was loaded anew. */
  readonly kept: string;
  readonly reason: string;
  readonly enter: (token: string) => Promise<void>;
  /** Where the page was opened by a link of `run --ui`. */
  readonly byLink: (() => Promise<void>) | undefined;
}

export function Login({ kept, reason, enter, byLink }: LoginProps): ReactElement {
  const [token, setToken] = useState('');
  const [fault, setFault] = useState('');
  const [isAsking, setAsking] = useState(false);
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
  useEffect(() => {
    const run = byLink ?? (kept === '' ? undefined : () => enter(kept));
    if (run === undefined || tried.current) return;
    tried.current = true;
    void ask(run);
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (token.trim() !== '') void ask(() => enter(token.trim()));
  };
  const told = fault === '' ? reason : fault;
  return (
    <main className="login">
      <form onSubmit={submit} autoComplete="off">
        <h1 className="brand">
          <Brand />
          upstreamproxy
        </h1>
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
        <button className="btn p" type="submit" disabled={isAsking || token.trim() === ''}>
          Log in
        </button>
        <p id="login-told" role="alert" className="fault">
          {told}
        </p>
        <TokenNote />
      </form>
    </main>
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
