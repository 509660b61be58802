// Leases that a session has of its own: of which credential, and until when. Most sessions have none, and then there is nothing to say.

import type { ReactElement } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { segment } from '../../api/admin-client.ts';
import { momentText } from '../../model/display.ts';
import { Clean } from '../../parts/clean.tsx';
import { useAsked, useNow } from '../../parts/operator.ts';

type Lease = OutputOf<'sessionLeases'>['items'][number];

export function LeasesSection({ id }: { readonly id: string }): ReactElement | null {
  const { value } = useAsked({
    operation: 'sessionLeases',
    path: `/v1/sessions/${segment(id)}/leases`,
    everyMs: 10_000,
  });
  const now = useNow(10_000);
  if (value === undefined || value.items.length === 0) return null;
  return (
    <section className="sec" aria-label="Leases">
      <div className="sech">
        <h2>Leases</h2>
        <span className="sub">made for this session alone, and given back when it ends</span>
      </div>
      <dl className="kv">
        {value.items.map((lease) => (
          <div key={`${lease.credential} ${lease.asked}`} className="pair">
            <dt>
              <Clean text={lease.credential} max={80} />
            </dt>
            <dd>{stateOf(lease, now)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function stateOf({ state, expires, attempts }: Lease, now: number): string {
  if (state === 'asked') return 'asked for';
  const tried = attempts > 1 ? `, tried ${String(attempts)} times` : '';
  const until = expires === undefined ? '' : `until ${momentText(Date.parse(expires), now)}`;
  return state === 'held' ? until : `is to be given back${tried}`;
}
