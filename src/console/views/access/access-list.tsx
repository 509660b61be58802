// The inbox on the left: pending by destination, below it what is in force with the time that is left.

import type { ReactElement } from 'react';
import { type Access, type AccessTab, groupsOf } from '../../model/access-groups.ts';
import { ageText, middleCut, plural, sessionName } from '../../model/display.ts';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { heldQuestions } from '../../model/access-questions.ts';
import { shortGrantUse } from '../../model/use-facts.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean, Host } from '../../parts/clean.tsx';
import type { Held } from '../../parts/held-list.ts';
import { HeldNote } from '../../parts/held-note.tsx';
import { useNow } from '../../parts/operator.ts';
import { useGrantUses } from '../../parts/uses.ts';

interface AccessListProps {
  readonly inForce: readonly Access[];
  readonly tab: AccessTab;
  readonly shown: readonly Access[];
  readonly current: Access | undefined;
  readonly choose: (id: string, tab?: AccessTab) => void;
  readonly isKnown: boolean;
  /** Shows those that were decided before. */
  readonly further: (() => void) | undefined;
  readonly held: Held;
}

export function AccessList(props: AccessListProps): ReactElement {
  const { inForce, tab, shown, current, choose, isKnown, further, held } = props;
  const granted = tab === 'granted' ? shown : inForce;
  const uses = useGrantUses(granted.map(({ id }) => id)).value;
  return (
    <div className="list" {...held.handlers}>
      <HeldNow shown={tab === 'pending' ? shown : []} current={current} choose={choose} />
      {tab === 'pending' ? (
        groupsOf(shown).map(({ destination, items, sessions }) => (
          <section key={destination} aria-label={plainText(destination)}>
            <div className="gh">
              <span className="el">
                <Host host={destination} />
              </span>
              <span className="nw">
                {plural(sessions, 'session', 'sessions')}
                {items.length === sessions ? '' : `, ${plural(items.length, 'request', 'requests')}`}
              </span>
            </div>
            {items.map((one) => (
              <Item key={one.id} access={one} current={current} choose={choose} />
            ))}
          </section>
        ))
      ) : (
        <section aria-label="Requests">
          {shown.map((one) => (
            <Item key={one.id} access={one} current={current} choose={choose} uses={uses} />
          ))}
        </section>
      )}
      {isKnown && shown.length === 0 ? <p className="gh">none</p> : null}
      {further === undefined ? null : (
        <p className="gh">
          <button type="button" className="btn" onClick={further}>
            Further back
          </button>
        </p>
      )}
      {tab !== 'pending' || inForce.length === 0 ? null : (
        <section aria-label="In force">
          <div className="gh">
            <b>In force</b>
            <span>end by themselves</span>
          </div>
          {inForce.map((one) => (
            <Item
              key={one.id}
              access={one}
              current={current}
              choose={(id) => choose(id, 'granted')}
              uses={uses}
            />
          ))}
        </section>
      )}
      <HeldNote held={held} />
    </div>
  );
}

interface HeldNowProps {
  readonly shown: readonly Access[];
  readonly current: Access | undefined;
  readonly choose: (id: string) => void;
}

/** Requests that wait for an answer stand on top: their time runs. */
function HeldNow({ shown, current, choose }: HeldNowProps): ReactElement | null {
  const questions = heldQuestions(shown);
  if (questions.length === 0) return null;
  return (
    <section aria-label="Held now">
      <div className="gh">
        <b>Held now</b>
        <span>a rule asks; each ends by itself</span>
      </div>
      {questions.map((one) => (
        <Item key={one.id} access={one} current={current} choose={choose} />
      ))}
    </section>
  );
}

interface ItemProps {
  readonly access: Access;
  readonly current: Access | undefined;
  readonly choose: (id: string) => void;
  readonly uses?: OutputOf<'grantUses'> | undefined;
}

function Item({ access, current, choose, uses }: ItemProps): ReactElement {
  const now = useNow();
  const { id, asked, session, reason, created, state, terms, decided, question } = access;
  const isOpen = state === 'granted';
  const path = asked.path ?? 'every path';
  const use = uses === undefined ? undefined : shortGrantUse(uses, id, now);
  const aside = isOpen
    ? leftText(terms?.ends, now)
    : state === 'pending'
      ? question === undefined
        ? ageText(now - Date.parse(created))
        : heldText(question.until, now)
      : state;
  return (
    <button
      type="button"
      className="item"
      aria-current={current?.id === id ? 'true' : undefined}
      onClick={() => choose(id)}
    >
      <div className="l">
        <span className="meth">{asked.method ?? 'any method'}</span>
        <span className="w el">
          {state === 'pending' && question === undefined ? null : <Clean text={asked.host} max={120} />}
          <Clean text={middleCut(path, 120)} />
        </span>
        <span className="sub nw">{aside}</span>
      </div>
      <div className="q el">
        <span className="m">{sessionName(session)}</span>&ensp;
        {isOpen ? (use ?? '') : <Clean text={reason} max={160} />}
      </div>
      {isOpen && terms !== undefined && decided !== undefined ? (
        <div className="cd" aria-hidden="true">
          <i style={{ width: `${leftShare(decided, terms.ends, now)}%` }} />
        </div>
      ) : null}
    </button>
  );
}

/** Behind its time the client is gone, and an answer waits for it. */
function heldText(until: string, now: number): string {
  return Date.parse(until) > now ? leftText(until, now) : 'client gone';
}

function leftText(ends: string | undefined, now: number): string {
  if (ends === undefined) return '';
  const left = Date.parse(ends) - now;
  if (left <= 0) return 'ends now';
  return `${ageText(left)} left`;
}

function leftShare(from: string, to: string, now: number): number {
  const [start, end] = [Date.parse(from), Date.parse(to)];
  return end <= start ? 0 : Math.max(0, Math.min(100, ((end - now) / (end - start)) * 100));
}
