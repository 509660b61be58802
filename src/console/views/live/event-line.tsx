// One row of the live list.

import { memo, type ReactElement } from 'react';
import { bytesText, durationText, middleCut, sessionName, unknownMark } from '../../model/display.ts';
import { markOf, methodOf, pathOf, refsOf, stepText } from '../../model/event-facts.ts';
import type { EventRow, NoteRow } from '../../model/live-rows.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean, Clock, Host } from '../../parts/clean.tsx';
import { Icon, Mark } from '../../parts/icon.tsx';

interface LineProps {
  readonly index: number;
  readonly top: number;
  readonly isMarked: boolean;
  readonly isPinned: boolean;
}

const pathCharactersMax = 160;

export const EventLine = memo(function EventLine({
  row: { event },
  times,
  index,
  top,
  isMarked,
  isPinned,
  mark,
}: LineProps & { row: EventRow; times: number; mark: (id: string) => void }): ReactElement {
  const { sessionId = '', status, rule, errorCode = '', injected = [] } = event;
  const of = markOf(event);
  const isExchange = event.kind === 'exchange' || event.kind === 'stream';
  return (
    <div
      id={`row-${event.id}`}
      className={`tr ${of} ${isMarked ? 'sel' : ''} ${isPinned ? 'pin' : ''}`}
      role="row"
      aria-rowindex={index + 1}
      aria-selected={isMarked}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => mark(event.id)}
    >
      <span className="k" role="gridcell">
        <Mark of={of} />
        {isPinned ? <span className="hidden">pinned</span> : null}
      </span>
      <span role="gridcell">
        <Clock ms={Date.parse(event.time)} />
      </span>
      <span className="who m2" role="gridcell" title={plainText(sessionId)}>
        {sessionName(sessionId)}
      </span>
      <span className="meth" role="gridcell">
        <Clean text={methodOf(event)} max={16} />
      </span>
      <Destination row={{ kind: 'event', event, times, lastMs: 0 }} />
      <span className="st r" role="gridcell">
        {status ?? (isExchange ? unknownMark : '')}
      </span>
      <span className="rl m2" role="gridcell">
        <Clean text={rule ?? errorCode} max={80} />
      </span>
      <span className="x key" role="gridcell">
        {injected.length === 0 ? null : <Icon name="key" size={12} />}
        <Clean text={injected.join(', ')} max={80} />
      </span>
      <span className="x r m2" role="gridcell">
        {isExchange ? bytesText(event.requestBytes) : ''}
      </span>
      <span className="x r m2" role="gridcell">
        {isExchange ? bytesText(event.responseBytes) : ''}
      </span>
      <span className="ms r m2" role="gridcell">
        {isExchange ? durationText(event.durationMs) : ''}
      </span>
    </div>
  );
});

function Destination({ row: { event, times } }: { readonly row: EventRow }): ReactElement {
  const { host, scheme, port } = event;
  const path = middleCut(pathOf(event), pathCharactersMax);
  const refs = refsOf(event);
  return (
    <>
      <span className="dst" role="gridcell">
        <span className="u">
          {host === undefined ? (
            <span className="m2">
              <Clean text={stepText(event)} max={200} />
            </span>
          ) : (
            <Host host={host} scheme={scheme} port={port} />
          )}
          <span className="p">
            <Clean text={path} />
          </span>
        </span>
        {refs === '' ? null : (
          <span className="ref">
            <Clean text={refs} max={60} />
          </span>
        )}
        {times > 1 ? <span className="rep">×{times}</span> : null}
      </span>
      <span className="mp m el" role="gridcell">
        <Clean text={`${methodOf(event)} ${path}`} max={120} />
      </span>
    </>
  );
}

export function NoteLine({ row, index, top }: LineProps & { readonly row: NoteRow }): ReactElement {
  return (
    <div
      className="tr div"
      role="row"
      aria-rowindex={index + 1}
      style={{ transform: `translateY(${top}px)` }}
    >
      <span role="gridcell">
        <Clean text={row.text} />
      </span>
    </div>
  );
}
