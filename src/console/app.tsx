// Log-in, and behind it the views.

import { type ReactElement, useEffect, useMemo, useRef, useState } from 'react';
import type { AdminClient, Fetch } from './api/admin-client.ts';
import { endSession, enterBySession, enterByToken, type LoggedIn } from './api/enter.ts';
import { exchangeSecret } from './api/log-in-by-link.ts';
import { EventFeed } from './api/event-feed.ts';
import { Login } from './login.tsx';
import { KeptDraft } from './parts/kept-draft.ts';
import { KeptPins } from './parts/kept-pins.ts';
import { KeptViews } from './parts/kept-views.ts';
import { KeptTimes } from './parts/kept-times.ts';
import { watchAttention } from './parts/attention.ts';
import { DeskContext } from './parts/operator.ts';
import { Shell } from './shell.tsx';

/** Of this tab alone, and gone with it. */
const tokenKey = 'upstreamproxy.operator';

const isAttended = watchAttention(window);

const ask: Fetch = (...asked) => fetch(...asked);

export function App({ secret }: { readonly secret: string | undefined }): ReactElement {
  const [operator, setOperator] = useState<LoggedIn>();
  const [kept, setKept] = useState(() => sessionStorage.getItem(tokenKey) ?? '');
  const [reason, setReason] = useState('');
  const current = useRef<AdminClient>(undefined);
  const leave = (why: string): void => {
    current.current?.close();
    sessionStorage.removeItem(tokenKey);
    setKept('');
    setReason(why);
    setOperator(undefined);
  };
  const [link, setLink] = useState(secret);
  const enterByLink = async (one: string): Promise<void> => {
    // Once: a second use ends the log-in.
    setLink(undefined);
    await enter((await exchangeSecret(one, ask)).token);
  };
  const needs = { fetch: ask, isAttended, leave };
  const take = (found: LoggedIn): void => {
    current.current?.close();
    current.current = found.client;
    setReason('');
    setOperator(found);
  };
  const enter = async (token: string): Promise<void> => {
    const found = await enterByToken(token, needs);
    sessionStorage.setItem(tokenKey, token);
    take(found);
  };
  if (operator === undefined)
    return (
      <Login
        kept={kept}
        reason={reason}
        enter={enter}
        byLink={link === undefined ? undefined : () => enterByLink(link)}
        bySession={async () => take(await enterBySession(needs))}
      />
    );

  const signOut = async (): Promise<void> => {
    const elsewhere = await endSession(operator);
    leave('');
    if (elsewhere !== undefined) location.assign(elsewhere);
  };
  return <Desk key={operator.who.name} operator={operator} signOut={() => void signOut()} />;
}

const saidMs = 6000;

function Desk({ operator, signOut }: { operator: LoggedIn; signOut: () => void }): ReactElement {
  const { client, who } = operator;
  const feed = useMemo(() => new EventFeed(client), [client]);
  const [kept] = useState(() => ({
    draft: new KeptDraft(),
    pins: new KeptPins(),
    times: new KeptTimes(),
    views: new KeptViews(),
  }));
  const [said, setSaid] = useState('');
  useEffect(() => {
    void feed.run();
    return () => feed.close();
  }, [feed]);
  useEffect(() => {
    if (said === '') return undefined;
    const timer = setTimeout(() => setSaid(''), saidMs);
    return () => clearTimeout(timer);
  }, [said]);
  const desk = useMemo(
    () => ({ client, feed, who, ...kept, signOut, say: setSaid }),
    [client, feed, who, kept, signOut],
  );
  return (
    <DeskContext value={desk}>
      <Shell />
      <div role="status" className={said === '' ? 'hidden' : 'toast'}>
        {said}
      </div>
    </DeskContext>
  );
}
