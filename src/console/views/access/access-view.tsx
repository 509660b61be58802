// Access: who asks for what, what a grant would open, and what is open now.

import { type ReactElement, useState } from 'react';
import { type Access, type AccessTab, accessTabs, groupsOf, refsOf } from '../../model/access-groups.ts';
import { heldQuestions } from '../../model/access-questions.ts';
import { AsOf } from '../../parts/as-of.tsx';
import { heldTogether, useHeldList } from '../../parts/held-list.ts';
import { useSettled, useSettledState } from '../../parts/keys.ts';
import { useListKeys } from '../../parts/list-keys.ts';
import { addressOf, go, type Place } from '../../parts/location.ts';
import { noticesNow, switchNotices } from '../../parts/notices.ts';
import { useDesk } from '../../parts/operator.ts';
import { Segments } from '../../parts/segments.tsx';
import { AccessDetail } from './access-detail.tsx';
import { AccessList } from './access-list.tsx';
import { type AccessLists, useAccess } from './use-access.ts';

export function AccessView({ place }: { readonly place: Place }): ReactElement {
  const tab = accessTabs.find((one) => one === place.query.get('tab')) ?? 'pending';
  const wanted = place.query.get('id') ?? '';
  const lists = useAccess(wanted);
  const list = lists.of(tab);
  const held = useHeldList(tab, inOrder(list.items, tab), lists.byId);
  const beside = useHeldList('in force', tab === 'pending' ? lists.of('granted').items : [], lists.byId);
  const { items: shown } = held;
  const chosen = lists.byId.get(wanted);
  const current = chosen ?? shown[0];
  const [isWriting, setWriting] = useState<string>();
  // What is listed and what is open: if either changes under a key, the key does nothing for a moment. A pointer acts on what is open alone.
  const open = [current?.id, current?.state];
  const settled = useSettled(JSON.stringify([open, shown.map(({ id }) => id)]));
  const isSettled = useSettledState(JSON.stringify(open));
  const choose = (id: string, next: AccessTab = tab): void => {
    setWriting(undefined);
    go(addressOf('access', '', { tab: next === 'pending' ? undefined : next, id }), { replace: true });
  };
  useListKeys({ shown, marked: current?.id ?? '', mark: choose });
  return (
    <section className={`view acc ${chosen === undefined ? '' : 'show'}`} aria-label="Access">
      <Head tab={tab} lists={lists} choose={(next) => choose('', next)} />
      <AsOf asked={list.asked} />
      <div className="split">
        <AccessList
          inForce={beside.items}
          tab={tab}
          shown={shown}
          current={current}
          choose={choose}
          isKnown={list.isKnown}
          further={tab === 'decided' && list.hasMore ? lists.further : undefined}
          held={heldTogether(held, beside)}
        />
        <div className="detail">
          {current === undefined ? (
            <NothingOpen tab={tab} fault={list.asked.fault} isKnown={list.isKnown} />
          ) : (
            <AccessDetail
              key={current.id}
              access={current}
              all={[...lists.byId.values()]}
              settled={settled}
              isSettled={isSettled}
              refs={current.id === wanted ? refsOf(place.query.get('refs') ?? '') : []}
              isDenying={isWriting === current.id}
              deny={(isDenying) => setWriting(isDenying ? current.id : undefined)}
              changed={lists.again}
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
  readonly lists: AccessLists;
  readonly choose: (tab: AccessTab) => void;
}

function Head({ tab, lists, choose }: HeadProps): ReactElement {
  const count = (one: AccessTab): string => {
    const { items, isKnown, hasMore } = lists.of(one);
    return isKnown ? ` ${items.length}${hasMore ? '+' : ''}` : '';
  };
  return (
    <header className="head">
      <h1>Access</h1>
      <span className="sub hm el">A workload asks, its request stays refused until you decide.</span>
      <span className="sp" />
      <NoticeButton />
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

/** Off until somebody asks for it. */
function NoticeButton(): ReactElement | null {
  const { say } = useDesk();
  const [notices, setNotices] = useState(noticesNow);
  if (notices === 'none') return null;
  const change = async (): Promise<void> => {
    const now = await switchNotices();
    setNotices(now);
    if (now === 'refused') say('The browser shows no notices of this page: its settings say so.');
  };
  return (
    <button
      type="button"
      className="btn hm"
      aria-pressed={notices === 'on'}
      title="A notice of the browser when a request comes and this page is not in front"
      onClick={() => void change()}
    >
      {notices === 'on' ? 'Notices on' : 'Notices off'}
    </button>
  );
}

/** The inbox by destination; the others as they come. */
function inOrder(items: readonly Access[], tab: AccessTab): readonly Access[] {
  return tab === 'pending'
    ? [...heldQuestions(items), ...groupsOf(items).flatMap((group) => group.items)]
    : items;
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
