// Events that are pinned, above the list that goes on.

import { type ReactElement, useSyncExternalStore } from 'react';
import type { AuditEvent } from '../../../api/audit-event.ts';
import { MiniRows } from '../../parts/mini-rows.tsx';
import { useDesk } from '../../parts/operator.ts';

export function usePins(): ReadonlyMap<string, AuditEvent> {
  const { pins } = useDesk();
  return useSyncExternalStore(pins.subscribe, pins.current);
}

export function PinnedRows(): ReactElement | null {
  const { pins } = useDesk();
  const all = usePins();
  if (all.size === 0) return null;
  const events = [...all.values()].toSorted((a, b) => Date.parse(a.time) - Date.parse(b.time));
  return (
    <section className="pins" aria-label="Pinned">
      <div className="line">
        <b>Pinned</b>
        <span className="sub">they stay while the list goes on, and go with the log-in</span>
        <span className="sp" />
        <button type="button" className="btn" onClick={pins.clear}>
          Unpin all
        </button>
      </div>
      <div className="pinned" tabIndex={0} role="region" aria-label="Pinned events">
        <MiniRows events={events} />
      </div>
    </section>
  );
}
