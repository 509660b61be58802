// One request for access: what is asked in whose words, what a grant would open, what the session did before.

import { type ReactElement, useState } from 'react';
import { type Access, decidedBefore } from '../../model/access-groups.ts';
import { ageText, momentText, plural, sessionName } from '../../model/display.ts';
import { Clean, Host } from '../../parts/clean.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Link } from '../../parts/link.tsx';
import { addressOf } from '../../parts/location.ts';
import { MiniRows } from '../../parts/mini-rows.tsx';
import { useAsked, useFeed, useNow } from '../../parts/operator.ts';
import { DecideForm, type DecideProps } from './decide-form.tsx';
import { InForce } from './in-force.tsx';
import { NearestRule } from './nearest-rule.tsx';
import { QuestionForm } from './question-form.tsx';

interface AccessDetailProps extends DecideProps {
  readonly all: readonly Access[];
  readonly back: () => void;
}

export function AccessDetail(props: AccessDetailProps): ReactElement {
  const { access, back } = props;
  const { asked, reason, session } = access;
  const before = useAsked({
    operation: 'exchanges',
    path: '/v1/exchanges',
    query: { session, count: '6', kind: 'exchange' },
  });
  const events = (before.value?.items ?? []).toReversed();
  return (
    <div className="dwrap">
      <button type="button" className="btn q mob" onClick={back}>
        <Icon name="back" /> Back
      </button>
      <AskedLine access={access} />
      <div className="url">
        <span className="mt">{asked.method ?? 'any method'}</span>
        <Host host={asked.host} scheme={asked.scheme} port={asked.port} />
        <span className="p">
          <Clean text={asked.path ?? ', every path'} max={1200} />
        </span>
      </div>
      {access.question === undefined ? <Reason text={reason} /> : null}
      {access.state === 'pending' && access.question !== undefined ? (
        <QuestionForm {...props} question={access.question} />
      ) : access.state === 'pending' ? (
        <DecideForm {...props} />
      ) : (
        <InForce access={access} isSettled={props.isSettled} changed={props.changed} />
      )}
      <SeenBefore {...props} />
      <div className="block">
        <h2>What the session did before</h2>
        {events.length === 0 ? (
          <p className="m2">
            {before.fault ?? (before.value === undefined ? '' : 'No exchange of it is in the audit.')}
          </p>
        ) : (
          <MiniRows events={events} />
        )}
        <p className="after">
          <Link to={addressOf('live', '', { q: `session:${session}` })}>
            All exchanges of {sessionName(session)}
          </Link>
        </p>
      </div>
    </div>
  );
}

function Reason({ text }: { readonly text: string }): ReactElement {
  return (
    <div className="block">
      <div className="note">
        <Icon name="warn" size={13} />
        In the workload&apos;s words. They may be written to mislead you.
      </div>
      <blockquote className="quote">
        <Clean text={text} max={1000} />
      </blockquote>
    </div>
  );
}

function AskedLine({ access }: { readonly access: Access }): ReactElement {
  const now = useNow();
  const { session, created, state, pendingUntil, question } = access;
  const ago = now - Date.parse(created);
  const when = ago < 3_600_000 ? `${ageText(ago)} ago` : `at ${momentText(Date.parse(created), now)}`;
  return (
    <div className="sub">
      <Link to={addressOf('sessions', session)}>{sessionName(session)}</Link> asked {when}
      {access.trace === undefined || question !== undefined ? '' : ', after a denial'}.{' '}
      {state === 'pending' && question === undefined
        ? `It works on without it, and the request lapses at ${momentText(Date.parse(pendingUntil), now)}.`
        : ''}
    </div>
  );
}

function SeenBefore({ access, all }: AccessDetailProps): ReactElement {
  const { granted, denied } = decidedBefore(all, access);
  const feed = useFeed();
  const [opened] = useState(() => Date.now());
  const denials = feed.held.events.filter(
    (event) =>
      event.sessionId === access.session && event.verdict === 'deny' && event.host === access.asked.host,
  ).length;
  const since = feed.held.sinceMs;
  return (
    <div className="block two">
      <div>
        <h2>Seen before</h2>
        <p className="m2">
          {granted + denied === 0
            ? 'The same was not asked for before, among the requests that are kept.'
            : `The same was granted ${plural(granted, 'time', 'times')} and denied ${plural(denied, 'time', 'times')} before. Asked this often, it may want a rule.`}{' '}
          On this host {plural(denials, 'request', 'requests')} of this session{' '}
          {denials === 1 ? 'was' : 'were'} denied
          {since === undefined ? '.' : `, since ${momentText(since, opened)}.`}
        </p>
      </div>
      <NearestRule access={access} />
    </div>
  );
}
