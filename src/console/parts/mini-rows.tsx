// A few exchanges in a few lines, each a link to its own.

import type { ReactElement } from 'react';
import type { AuditEvent } from '../../api/audit-event.ts';
import { clockTime, middleCut, unknownMark } from '../model/display.ts';
import { markOf, methodOf, pathOf } from '../model/event-facts.ts';
import { Clean, Host } from './clean.tsx';
import { Mark } from './icon.tsx';
import { Link } from './link.tsx';
import { addressOf } from './location.ts';

export function MiniRows({ events }: { readonly events: readonly AuditEvent[] }): ReactElement {
  return (
    <div className="before">
      {events.map((event) => {
        const { id, host, scheme, port, rule, errorCode = '', status } = event;
        return (
          <Link key={id} className={`tr ${markOf(event)}`} to={addressOf('exchange', event.traceId)}>
            <span>
              <Mark of={markOf(event)} />
            </span>
            <span className="time hm m2">{clockTime(Date.parse(event.time)).time}</span>
            <span className="meth">
              <Clean text={methodOf(event)} max={16} />
            </span>
            <span className="dst el m2">
              <span className="u">
                {host === undefined ? null : <Host host={host} scheme={scheme} port={port} />}
                <Clean text={middleCut(pathOf(event), 120)} />
              </span>
            </span>
            <span className="st r m2">{status ?? unknownMark}</span>
            <span className="rl m2 el hm">
              <Clean text={rule ?? errorCode} max={60} />
            </span>
          </Link>
        );
      })}
    </div>
  );
}
