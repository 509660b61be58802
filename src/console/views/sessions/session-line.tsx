// One session in a line: what it did in half an hour, what was refused, which facts of its posture hold.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { momentText, sessionName, unknownMark } from '../../model/display.ts';
import type { EventTotals } from '../../model/event-totals.ts';
import { gateBars } from '../../model/gate-line.ts';
import type { GateBin } from '../../model/live-rows.ts';
import { postureOf } from '../../model/posture-words.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean } from '../../parts/clean.tsx';
import { GateLine } from '../../parts/gate-line.tsx';
import { useFeed, useNow } from '../../parts/operator.ts';

type Session = OutputOf<'session'>;

interface SessionLineProps {
  readonly session: Session;
  readonly totals: EventTotals;
  readonly isMarked: boolean;
  readonly open: (id: string) => void;
}

const none: ReadonlyMap<number, GateBin> = new Map();

export function SessionLine({ session, totals, isMarked, open }: SessionLineProps): ReactElement {
  const { id, principal, created, tunnels, policy, posture, state, way } = session;
  const feed = useFeed();
  const now = useNow(10_000);
  const total = totals.bySession.get(id);
  const bars = gateBars(totals.binsBySession.get(id) ?? none, {
    endMs: now,
    bars: 30,
    barMs: 60_000,
    heldSinceMs: feed.held.sinceMs,
  });
  const { events, sinceMs } = feed.held;
  // Of a session that is older than what is held, what was refused before is not known.
  const isWhole = events.length > 0 && (sinceMs === undefined || Date.parse(created) >= sinceMs);
  const denied = total?.denied ?? (isWhole ? 0 : undefined);
  return (
    <div
      className={`tr ${isMarked ? 'sel' : ''}`}
      role="row"
      aria-selected={isMarked}
      onClick={() => open(id)}
    >
      <span className="sid" role="gridcell" title={plainText(id)}>
        <b>{sessionName(id)}</b>
        {state === 'committed' ? null : <span className="m"> {state}</span>}
        {way === 'proxy' ? (
          <span className="m" title="It came by the proxy listener; its token is in the container">
            {' '}
            no agent
          </span>
        ) : null}
      </span>
      <span className="pr m2" role="gridcell" title={plainText(principal)}>
        <Clean text={principal} max={120} />
      </span>
      <span className="x m2" role="gridcell">
        {momentText(Date.parse(created), now)}
      </span>
      <span className="o m2" role="gridcell">
        {seenText(session, now)}
      </span>
      <span className="x r m2" role="gridcell">
        {tunnels}
      </span>
      <span className="o" role="gridcell">
        <GateLine bars={bars} height={24} base={17} gap={8} className="spark" />
      </span>
      <span className={`dn r ${(denied ?? 0) > 0 ? 'dnum' : 'm'}`} role="gridcell">
        {denied ?? unknownMark}
      </span>
      <span className="x mono m" role="gridcell">
        {policy?.slice(0, 8) ?? unknownMark}
      </span>
      <span className="pp" role="gridcell">
        <Posture posture={posture} />
      </span>
    </div>
  );
}

function seenText({ tunnels, lastSeen }: Session, now: number): string {
  if (tunnels > 0) return 'now';
  return lastSeen === undefined ? unknownMark : momentText(Date.parse(lastSeen), now);
}

function Posture({ posture }: { readonly posture: readonly string[] }): ReactElement {
  const facts = postureOf(posture);
  const held = facts.filter(({ holds }) => holds).length;
  return (
    <span className="post" role="img" aria-label={`${held} of ${facts.length} facts hold`}>
      {facts.map(({ name, holds }) => (
        <i key={name} className={holds ? '' : 'no'} title={plainText(name)} />
      ))}
    </span>
  );
}
