// What needs a person: held requests, alarms, a policy that cannot be taken, an audit that fails, limits that were reached.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { ageText, durationText, momentText, plural, shortId } from '../../model/display.ts';
import type { Access } from '../../model/access-groups.ts';
import { heldQuestions } from '../../model/access-questions.ts';
import { type GateMark, stepText } from '../../model/event-facts.ts';
import type { EventTotals } from '../../model/event-totals.ts';
import { Clean } from '../../parts/clean.tsx';
import { Mark } from '../../parts/icon.tsx';
import { Link } from '../../parts/link.tsx';
import { addressOf } from '../../parts/location.ts';
import { useAsked, useDesk, useNow } from '../../parts/operator.ts';
import type { UseTable } from '../../model/use-facts.ts';
import { useUses } from '../../parts/uses.ts';
import { isWell, type useGateways } from './gateways.tsx';

interface NeedsYouProps {
  readonly health: OutputOf<'health'> | undefined;
  readonly totals: EventTotals;
  readonly gateways: Gateways;
  readonly waiting: OutputOf<'accessRequests'> | undefined;
}

interface Need {
  readonly key: string;
  readonly mark: GateMark;
  readonly title: string;
  readonly text: string;
  readonly to: string;
}

type Gateways = ReturnType<typeof useGateways>;

const shownMost = 6;

export function NeedsYou({ health, totals, gateways, waiting }: NeedsYouProps): ReactElement {
  const limits = useAsked({ operation: 'limits', path: '/v1/limits', everyMs: 10_000 }).value?.items;
  const { who } = useDesk();
  const path = who.sees === undefined ? '/v1/credentials' : undefined;
  const credentials = useAsked({ operation: 'credentials', path, everyMs: 10_000 }).value?.items;
  const observed = useUses('observed');
  const now = useNow();
  const needs = [
    ...ofHeld(waiting?.items ?? [], now),
    ...ofHealth(health),
    ...ofGateways(gateways ?? []),
    ...ofAlarms(totals),
    ...ofCredentials(credentials ?? []),
    ...ofObserved(observed),
    ...ofLimits(limits ?? []),
  ].slice(0, shownMost);
  return (
    <section>
      <div className="sech">
        <h2>Needs you</h2>
      </div>
      <div className="att">
        {needs.length === 0 ? <p className="m2 calm">Nothing.</p> : null}
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

/** Before all else: a client waits for it, and its time runs. Requests for access have no such haste; the sentence has them. */
function ofHeld(items: readonly Access[], now: number): readonly Need[] {
  const held = heldQuestions(items);
  const next = held.find(({ question }) => Date.parse(question?.until ?? '') > now);
  if (next?.question === undefined) return [];
  const { asked, question } = next;
  const left = Date.parse(question.until) - now;
  return [
    {
      key: 'held',
      mark: 'unknown',
      title: `${plural(held.length, 'request is', 'requests are')} held until somebody decides`,
      text: `${ageText(left)} left for ${asked.method ?? 'the one'} to ${asked.host}, by the rule ${question.rule}.`,
      to: addressOf('access', next.id),
    },
  ];
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
  const { advisories } = health;
  if (advisories !== undefined && advisories.state !== 'fresh')
    needs.push({
      key: 'advisories',
      mark: 'error',
      title:
        advisories.state === 'stale'
          ? 'Advisories of packages are old'
          : 'There are no advisories of packages that can be read',
      text:
        advisories.state === 'stale'
          ? `For ${ageText(advisories.staleSeconds * 1000)}; what became known since then keeps nothing back.`
          : 'Rules that look at them allow nothing.',
      to: addressOf('settings'),
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

function ofGateways(gateways: NonNullable<Gateways>): readonly Need[] {
  return gateways
    .filter((one) => !isWell(one))
    .map(({ gateway, address, state }) => ({
      key: `gateway ${gateway}`,
      mark: state === 'lost' ? 'error' : 'unknown',
      title: `Gateway ${address ?? shortId(gateway)} ${needOf[state]}`,
      text:
        state === 'lost'
          ? 'Nothing is heard of it: it was killed, or cannot reach the store. Agents go to another one.'
          : 'What was revoked, granted or published holds there a little later.',
      to: addressOf('overview'),
    }));
}

const needOf = {
  serving: 'has not taken the newest change',
  draining: 'is draining',
  left: 'ended',
  lost: 'is lost',
} as const;

/** Over all gateways, as the store counts: what a page holds may be of some minutes alone. */
function ofCredentials(credentials: OutputOf<'credentials'>['items']): readonly Need[] {
  return credentials
    .filter(({ state }) => state === 'failing')
    .map(({ name, lastError, recent }) => ({
      key: `credential ${name}`,
      mark: 'error',
      title:
        lastError?.code === 'status_401'
          ? `Credential ${name} is not accepted`
          : `Credential ${name} cannot be had`,
      text: `${lastError?.code ?? 'It failed'}, the last time at ${momentText(Date.parse(lastError?.time ?? ''), Date.now())}. ${plural(recent?.failed ?? 0, 'request', 'requests')} failed in 24 h.`,
      to: addressOf('credentials'),
    }));
}

/** What observe mode would deny is a decision that waits for somebody. */
function ofObserved(observed: UseTable | undefined): readonly Need[] {
  return (observed?.recentOnes ?? []).slice(0, 2).map(({ name, recent }) => ({
    key: `observed ${name}`,
    mark: 'observe',
    title: `${name} observes`,
    text: `${plural(recent.allowed + recent.failed, 'request', 'requests')} in 24 h would be denied.`,
    to: addressOf('live', '', { q: `observed:${name}` }),
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
