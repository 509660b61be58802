// One session: its posture, its claims, where it went, and ending it.

import { type ReactElement, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { coversRole } from '../../../api/admin/roles.ts';
import { faultText, segment } from '../../api/admin-client.ts';
import { momentText, plural, sessionName } from '../../model/display.ts';
import type { EventTotals } from '../../model/event-totals.ts';
import { postureOf } from '../../model/posture-words.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean } from '../../parts/clean.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Link } from '../../parts/link.tsx';
import { addressOf } from '../../parts/location.ts';
import { MiniRows } from '../../parts/mini-rows.tsx';
import { useAsked, useDesk, useNow } from '../../parts/operator.ts';
import { LeasesSection } from './leases-section.tsx';
import { PackagesSection } from './packages-section.tsx';

type Session = OutputOf<'session'>;

interface DrawerProps {
  readonly id: string;
  readonly totals: EventTotals;
  readonly close: () => void;
  readonly changed: () => void;
}

export function SessionDrawer({ id, totals, close, changed }: DrawerProps): ReactElement {
  const asked = useAsked({ operation: 'session', path: `/v1/sessions/${segment(id)}`, everyMs: 3000 });
  const [isEnding, setEnding] = useState(false);
  const session = asked.value;
  const again = (): void => {
    setEnding(false);
    asked.again();
    changed();
  };
  return (
    <aside className="drawer" aria-label="One session">
      <header className="top">
        <div className="line">
          <h2 className="el" title={plainText(id)}>
            {sessionName(id)}
          </h2>
          <span className="sub el">{session === undefined ? '' : stateText(session)}</span>
          <span className="sp" />
          <button type="button" className="btn ic" aria-label="Close" onClick={close}>
            <Icon name="close" size={14} />
          </button>
        </div>
        {session === undefined ? null : <Head session={session} end={() => setEnding(true)} />}
      </header>
      {session === undefined ? (
        <p className="empty">{asked.fault ?? 'Looking for it…'}</p>
      ) : (
        <div className="dbody">
          {isEnding ? <EndStep session={session} done={again} cancel={() => setEnding(false)} /> : null}
          <PostureSection session={session} />
          <Recent id={id} totals={totals} />
          <LeasesSection id={id} />
          <PackagesSection id={id} />
          <Claims session={session} />
        </div>
      )}
    </aside>
  );
}

function isAlive({ state }: Session): boolean {
  return state === 'enrolled' || state === 'committed';
}

function stateText({ state, tunnels, reason, way }: Session): string {
  if (state === 'committed' && way === 'proxy') return 'committed, by the proxy listener';
  if (state === 'committed') return `committed, ${plural(tunnels, 'tunnel', 'tunnels')}`;
  return reason === undefined ? state : `${state}: ${reason}`;
}

function Head({ session, end }: { readonly session: Session; readonly end: () => void }): ReactElement {
  const { who } = useDesk();
  const now = useNow(10_000);
  const { id, created, expires, agentVersion, ended, way } = session;
  const mayEnd = coversRole(who.role, 'operator');
  return (
    <>
      <div className="meta">
        <span>
          since <b>{momentText(Date.parse(created), now)}</b>
        </span>
        <span>
          {ended === undefined ? 'ends by ' : 'ended '}
          <b>{momentText(Date.parse(ended ?? expires), now)}</b>
        </span>
        {way === 'proxy' ? (
          <span>
            <b>no agent</b>, its token is in the container
          </span>
        ) : (
          <span>
            agent{' '}
            <b>
              <Clean text={agentVersion} max={60} />
            </b>
          </span>
        )}
        <span className="mono">{id}</span>
      </div>
      <div className="acts">
        <Link className="btn" to={addressOf('live', '', { q: `session:${id}` })}>
          Its exchanges
        </Link>
        <span className="sp" />
        <button
          type="button"
          className="btn d"
          disabled={!mayEnd || !isAlive(session)}
          title={mayEnd ? undefined : 'This needs the role operator'}
          onClick={end}
        >
          Revoke…
        </button>
      </div>
    </>
  );
}

interface EndStepProps {
  readonly session: Session;
  readonly done: () => void;
  readonly cancel: () => void;
}

/** What it does in numbers first; nothing happens by Enter. */
function EndStep({ session, done, cancel }: EndStepProps): ReactElement {
  const { client, say } = useDesk();
  const [reason, setReason] = useState('');
  const [fault, setFault] = useState('');
  const [isSending, setSending] = useState(false);
  const revoke = async (): Promise<void> => {
    setSending(true);
    try {
      const body = reason.trim() === '' ? {} : { reason: reason.trim() };
      await client.post('revokeSession', `/v1/sessions/${segment(session.id)}/revoke`, body);
      say(`Session ${sessionName(session.id)} was revoked.`);
      done();
    } catch (error) {
      setFault(faultText(error));
      setSending(false);
    }
  };
  return (
    <section className="sec confirm" aria-label="Revoke the session">
      <p>
        Ends this session for good: <b>{plural(session.tunnels, 'tunnel closes', 'tunnels close')}</b> with
        all that runs in it, its grants end, and its token starts no other. This cannot be undone.
      </p>
      <div className="acts">
        <input
          className="field"
          aria-label="Why"
          placeholder="Why; it stands in the audit, and the agent is told"
          maxLength={1000}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
        <button type="button" className="btn d" disabled={isSending} onClick={() => void revoke()}>
          Revoke {sessionName(session.id)}
        </button>
        <button type="button" className="btn" onClick={cancel}>
          Keep it
        </button>
      </div>
      {fault === '' ? null : (
        <p className="fault" role="alert">
          <Clean text={fault} />
        </p>
      )}
    </section>
  );
}

function PostureSection({ session: { posture, notes } }: { readonly session: Session }): ReactElement {
  const facts = postureOf(posture);
  const held = facts.filter(({ holds }) => holds).length;
  return (
    <section className="sec">
      <div className="sech">
        <h2>Posture</h2>
        <span className="sub">
          {held} of {facts.length} facts hold, as the agent reported them
        </span>
      </div>
      {facts.map(({ name, words, holds }) => (
        <div key={name} className={`fact ${holds ? '' : 'no'}`}>
          <span className="post">
            <i className={holds ? '' : 'no'} />
          </span>
          <span className="fn">
            <Clean text={name} max={60} />
          </span>
          <span className="m2">
            {holds ? words : `No. Rules that require it do not apply to this session`}
          </span>
        </div>
      ))}
      {notes.map((note) => (
        <p key={note} className="sub after">
          <Clean text={note} max={600} />
        </p>
      ))}
    </section>
  );
}

function Recent({ id, totals }: { readonly id: string; readonly totals: EventTotals }): ReactElement {
  const query = { session: id, count: '8', kind: 'exchange' };
  const { value, fault } = useAsked({ operation: 'exchanges', path: '/v1/exchanges', query, everyMs: 5000 });
  const total = totals.bySession.get(id);
  return (
    <section className="sec">
      <div className="sech">
        <h2>Last exchanges</h2>
        <span className="sub">
          {total === undefined
            ? ''
            : `${plural(total.passed, 'allowed', 'allowed')}, ${plural(total.denied, 'denied', 'denied')} in what is held`}
        </span>
      </div>
      {value === undefined || value.items.length === 0 ? (
        <p className="m2">{fault ?? (value === undefined ? '' : 'None is in the audit.')}</p>
      ) : (
        <MiniRows events={value.items.toReversed()} />
      )}
    </section>
  );
}

function Claims({ session: { claims, principal } }: { readonly session: Session }): ReactElement {
  return (
    <section className="sec">
      <div className="sech">
        <h2>Claims</h2>
        <span className="sub">
          what <span className="mono">for</span> in a policy can ask for
        </span>
      </div>
      <dl className="kv">
        <dt>principal</dt>
        <dd>
          <Clean text={principal} max={600} />
        </dd>
        {Object.entries(claims).map(([name, value]) => (
          <div key={name} className="pair">
            <dt>
              <Clean text={name} max={80} />
            </dt>
            <dd>
              <Clean text={typeof value === 'string' ? value : JSON.stringify(value)} max={600} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
