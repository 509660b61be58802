// What needs a person: alarms, a policy that cannot be taken, an audit that fails, limits that were reached.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { durationText, momentText, plural } from '../../model/display.ts';
import { type GateMark, stepText } from '../../model/event-facts.ts';
import type { EventTotals } from '../../model/event-totals.ts';
import { Clean } from '../../parts/clean.tsx';
import { Mark } from '../../parts/icon.tsx';
import { Link } from '../../parts/link.tsx';
import { addressOf } from '../../parts/location.ts';
import { useAsked } from '../../parts/operator.ts';

interface NeedsYouProps {
  readonly health: OutputOf<'health'> | undefined;
  readonly totals: EventTotals;
}

interface Need {
  readonly key: string;
  readonly mark: GateMark;
  readonly title: string;
  readonly text: string;
  readonly to: string;
}

const shownMost = 6;

export function NeedsYou({ health, totals }: NeedsYouProps): ReactElement {
  const limits = useAsked({ operation: 'limits', path: '/v1/limits', everyMs: 10_000 }).value?.items;
  const needs = [
    ...ofHealth(health),
    ...ofAlarms(totals),
    ...ofCredentials(totals),
    ...ofLimits(limits ?? []),
  ].slice(0, shownMost);
  return (
    <section>
      <div className="sech">
        <h2>Needs you</h2>
      </div>
      <div className="att">
        {needs.length === 0 ? <p className="m2 calm">Nothing, as far as events are held.</p> : null}
        {needs.map(({ key, mark, title, text, to }) => (
          <div className="a" key={key}>
            <Mark of={mark} />
            <div>
              <b>
                <Clean text={title} max={160} />
              </b>
              <div className="sub">
                <Clean text={text} max={300} />
              </div>
            </div>
            <Link className="btn" to={to} label={`Show: ${title}`}>
              Show
            </Link>
          </div>
        ))}
      </div>
    </section>
  );
}

function ofHealth(health: OutputOf<'health'> | undefined): readonly Need[] {
  if (health === undefined) return [];
  const needs: Need[] = [];
  if (health.audit === 'failing')
    needs.push({
      key: 'audit',
      mark: 'error',
      title: 'The audit cannot be written',
      text: 'Requests are refused until it can be.',
      to: addressOf('live', '', { q: 'error:audit_unavailable' }),
    });
  if (health.policy.staleSeconds > 0)
    needs.push({
      key: 'policy',
      mark: 'error',
      title: 'The policy files cannot be taken',
      text: `For ${durationText(Math.floor(health.policy.staleSeconds) * 1000)}; the policy before stays in force.`,
      to: addressOf('policy'),
    });
  return needs;
}

function ofAlarms({ alarms }: EventTotals): readonly Need[] {
  return alarms.slice(-3).map((event) => ({
    key: event.id,
    mark: 'alarm',
    title: stepText({ ...event, message: undefined }),
    text: `${event.message ?? ''} ${momentText(Date.parse(event.time), Date.now())}`.trim(),
    to: addressOf('exchange', event.traceId),
  }));
}

function ofCredentials({ byCredential }: EventTotals): readonly Need[] {
  return [...byCredential]
    .filter(([, { failed, passed }]) => failed > passed)
    .map(([name, { failed, lastError }]) => ({
      key: `credential ${name}`,
      mark: 'error',
      title: `Requests with ${name} fail`,
      text: `${plural(failed, 'request', 'requests')} failed${lastError === undefined ? '' : `, the last with ${lastError}`}.`,
      to: addressOf('live', '', { q: `credential:${name} verdict:error` }),
    }));
}

function ofLimits(limits: OutputOf<'limits'>['items']): readonly Need[] {
  return limits
    .filter(({ reached }) => reached > 0)
    .toSorted((a, b) => b.reached - a.reached)
    .map(({ name, reached, reason }) => ({
      key: `limit ${name}`,
      mark: 'unknown',
      title: `${name} was reached ${plural(reached, 'time', 'times')}`,
      text: reason,
      to: addressOf('live', '', { q: `limit:${name}` }),
    }));
}
