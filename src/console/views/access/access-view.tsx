// Access: who asks for what, what a grant would open, and what is open now.

import { type ReactElement, useState } from 'react';
import { type Access, type AccessTab, accessTabs, groupsOf } from '../../model/access-groups.ts';
import { useSettled } from '../../parts/keys.ts';
import { useListKeys } from '../../parts/list-keys.ts';
import { addressOf, go, type Place } from '../../parts/location.ts';
import { useAsked } from '../../parts/operator.ts';
import { Segments } from '../../parts/segments.tsx';
import { AccessDetail } from './access-detail.tsx';
import { AccessList } from './access-list.tsx';

const everyMs = 2000;

export function AccessView({ place }: { readonly place: Place }): ReactElement {
  const asked = useAsked({ operation: 'accessRequests', path: '/v1/access', everyMs });
  const tab = accessTabs.find((one) => one === place.query.get('tab')) ?? 'pending';
  const all = asked.value?.items ?? [];
  const shown = shownIn(all, tab);
  const wanted = place.query.get('id') ?? '';
  const chosen = all.find(({ id }) => id === wanted);
  const current = chosen ?? shown[0];
  const [isWriting, setWriting] = useState<string>();
  // What is listed and what is open: if either changes under a key, the key does nothing for a moment.
  const settled = useSettled(JSON.stringify([current?.id, current?.state, shown.map(({ id }) => id)]));
  const choose = (id: string, next: AccessTab = tab): void => {
    setWriting(undefined);
    go(addressOf('access', '', { tab: next === 'pending' ? undefined : next, id }), { replace: true });
  };
  useListKeys({ shown, marked: current?.id ?? '', mark: choose });
  return (
    <section className={`view acc ${chosen === undefined ? '' : 'show'}`} aria-label="Access">
      <Head tab={tab} all={asked.value?.items} choose={(next) => choose('', next)} />
      <div className="split">
        <AccessList
          all={all}
          tab={tab}
          shown={shown}
          current={current}
          choose={choose}
          isKnown={asked.value !== undefined}
        />
        <div className="detail">
          {current === undefined ? (
            <NothingOpen tab={tab} fault={asked.fault} isKnown={asked.value !== undefined} />
          ) : (
            <AccessDetail
              key={current.id}
              access={current}
              all={all}
              settled={settled}
              isDenying={isWriting === current.id}
              deny={(isDenying) => setWriting(isDenying ? current.id : undefined)}
              changed={asked.again}
              back={() => choose('')}
            />
          )}
        </div>
      </div>
    </section>
  );
}

interface HeadProps {
  readonly tab: AccessTab;
  readonly all: readonly Access[] | undefined;
  readonly choose: (tab: AccessTab) => void;
}

function Head({ tab, all, choose }: HeadProps): ReactElement {
  const count = (one: AccessTab): string => (all === undefined ? '' : ` ${shownIn(all, one).length}`);
  return (
    <header className="head">
      <h1>Access</h1>
      <span className="sub hm el">A workload asks, its request stays refused until you decide.</span>
      <span className="sp" />
      <Segments
        label="Which requests"
        value={tab}
        choices={[
          { value: 'pending', name: `Pending${count('pending')}` },
          { value: 'granted', name: `In force${count('granted')}` },
          { value: 'decided', name: 'Decided' },
        ]}
        choose={choose}
      />
    </header>
  );
}

/** In the order of the list on the left. */
function shownIn(all: readonly Access[], tab: AccessTab): readonly Access[] {
  if (tab === 'pending')
    return groupsOf(all.filter(({ state }) => state === 'pending')).flatMap(({ items }) => items);
  if (tab === 'granted') return all.filter(({ state }) => state === 'granted');
  return all.filter(({ state }) => state !== 'pending' && state !== 'granted');
}

interface NothingProps {
  readonly tab: AccessTab;
  readonly fault: string | undefined;
  readonly isKnown: boolean;
}

function NothingOpen({ tab, fault, isKnown }: NothingProps): ReactElement {
  if (!isKnown) return <div className="empty">{fault ?? 'Looking for requests…'}</div>;
  return (
    <div className="empty">
      <h2>
        {tab === 'pending'
          ? 'Nobody waits'
          : tab === 'granted'
            ? 'No grant is in force'
            : 'Nothing was decided yet'}
      </h2>
      <p>
        A workload asks by a request to <span className="mono">http://upstreamproxy.invalid/access</span>;
        each denial tells it how. It works on while it waits.
      </p>
    </div>
  );
}
