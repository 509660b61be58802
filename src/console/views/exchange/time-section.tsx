// When each stage of an exchange was over, on one scale. A stage that did not happen is not there.

import { Fragment, type ReactElement } from 'react';
import type { AuditEvent } from '../../../api/audit-event.ts';
import { durationText, hostParts } from '../../model/display.ts';
import { markOf } from '../../model/event-facts.ts';
import { type Stage, stagesOf } from '../../model/exchange-stages.ts';

export function TimeSection({ event }: { readonly event: AuditEvent }): ReactElement | null {
  if (event.kind !== 'exchange' && event.kind !== 'stream') return null;
  const stages = stagesOf(event);
  if (stages.length === 0)
    return (
      <section className="sec">
        <div className="sech">
          <h2>Time</h2>
          <span className="sub">
            the event has no times of stages; it took {durationText(event.durationMs)}
          </span>
        </div>
      </section>
    );
  const isDenied = markOf(event) === 'deny';
  const total = Math.max(event.durationMs ?? 0, ...stages.map(({ endMs }) => endMs));
  const here = stages
    .filter(({ isHere }) => isHere)
    .reduce((sum, { endMs, startMs }) => sum + endMs - startMs, 0);
  return (
    <section className="sec">
      <div className="sech">
        <h2>Time</h2>
        <span className="sub">
          {isDenied ? 'stopped before anything was dialled' : `${durationText(here)} here, the rest outside`}
          {event.connection === 'kept' ? '; by a connection that was kept' : ''}
        </span>
      </div>
      <div className="wf">
        {stages.map((stage) => (
          <Fragment key={stage.name}>
            <StageBar stage={stage} total={total} isLast={isDenied && stage.name === 'decide'} />
            {stage.name === 'decide' && !isDenied ? (
              <div className="gate">
                <span className="el">outside from here: {outsideText(event)}</span>
              </div>
            ) : null}
          </Fragment>
        ))}
      </div>
      {isDenied ? <div className="sub after">Nothing was resolved or dialled.</div> : null}
    </section>
  );
}

function outsideText({ host = '', address }: AuditEvent): string {
  const { below, domain } = hostParts(host);
  return `${below}${domain}${address === undefined ? '' : ` at ${address}`}`;
}

interface StageBarProps {
  readonly stage: Stage;
  readonly total: number;
  readonly isLast: boolean;
}

function StageBar({ stage, total, isLast }: StageBarProps): ReactElement {
  const { name, startMs, endMs, isHere } = stage;
  const share = (ms: number): number => (total <= 0 ? 0 : (ms / total) * 100);
  const left = `min(${share(startMs).toFixed(2)}%, calc(100% - 3px))`;
  const width = isLast ? '3px' : `${share(endMs - startMs).toFixed(2)}%`;
  const style = isLast ? 'dn' : name === 'decide' ? 'g' : name === 'first byte' ? 'w' : '';
  const isStrong = name === 'decide';
  return (
    <>
      <span>{isStrong ? <b>{name}</b> : name}</span>
      <div className="bar" aria-hidden="true">
        <i className={style} style={{ left, width }} />
        {isLast ? <div className="no" style={{ left: `calc(${share(startMs).toFixed(2)}% + 8px)` }} /> : null}
      </div>
      <span className="r">
        {isStrong && isHere ? <b>{durationText(endMs - startMs)}</b> : durationText(endMs - startMs)}
      </span>
    </>
  );
}
