// What was published, by whom and why, what gateways made of it; what a version changed, and the way back to it.

import { type ReactElement, useState } from 'react';
import { coversRole } from '../../../api/admin/roles.ts';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { faultText, segment } from '../../api/admin-client.ts';
import { momentText } from '../../model/display.ts';
import { plainText } from '../../model/clean-text.ts';
import { Clean } from '../../parts/clean.tsx';
import { useAsked, useDesk } from '../../parts/operator.ts';

type Item = OutputOf<'policyHistory'>['items'][number];
const everyMs = 5000;

export function PolicyHistory(): ReactElement {
  const asked = useAsked({ operation: 'policyHistory', path: '/v1/policy/history', everyMs });
  const items = asked.value?.items;
  if (items === undefined) return <div className="rules empty">{asked.fault ?? 'Looking for it…'}</div>;
  if (items.length === 0)
    return (
      <div className="rules empty">
        <h2>Nothing was published</h2>
        <p>
          Write a draft and publish it, or run{' '}
          <code>upstreamproxy policy publish policy.yaml --config gateway.yaml</code>.
        </p>
      </div>
    );
  const heads = new Map(items.flatMap((item) => (item.inForce ? [[item.policy, item]] : [])));
  return (
    <div className="rules" tabIndex={0} role="region" aria-label="Published versions">
      {items.map((item) => (
        <Entry key={item.id} item={item} head={heads.get(item.policy)} again={asked.again} />
      ))}
    </div>
  );
}

interface EntryProps {
  readonly item: Item;
  /** The published version of the same policy. */
  readonly head: Item | undefined;
  readonly again: () => void;
}

function Entry({ item, head, again }: EntryProps): ReactElement {
  const [told, setTold] = useState<{ readonly text?: string; readonly fault?: string }>({});
  const { client } = useDesk();
  const compare = async (): Promise<void> => {
    try {
      const before = { version: `${item.policy}@${item.number - 1}` };
      const body = { before, after: { version: item.id } };
      setTold({ text: (await client.post('diffPolicy', '/v1/policy/diff', body)).text });
    } catch (error) {
      setTold({ fault: faultText(error) });
    }
  };
  return (
    <article className="sec" aria-label={plainText(item.id)}>
      <Facts item={item} />
      <div className="acts">
        <button
          type="button"
          className="btn"
          onClick={() => void compare()}
          disabled={item.withdrawn || item.number === 1}
        >
          What it changed
        </button>
        <WayBack item={item} head={head} again={again} tell={(fault) => setTold({ fault })} />
      </div>
      {told.text === undefined ? null : (
        <pre className="diff" role="status">
          {told.text.split('\n').map((line, at) => (
            // The lines of one text never change their order.
            <span key={at}>
              <Clean text={line} max={400} />
              {'\n'}
            </span>
          ))}
        </pre>
      )}
      {told.fault === undefined ? null : (
        <p className="fault" role="alert">
          <Clean text={told.fault} max={800} />
        </p>
      )}
    </article>
  );
}

/** Who, when, why, and what gateways made of it. */
function Facts({ item }: { readonly item: Item }): ReactElement {
  const refused = item.gateways.filter(({ state }) => state === 'refused');
  const taken = item.gateways.length - refused.length;
  return (
    <>
      <div className="sech">
        <h2 className="mono">{item.id}</h2>
        <span className="sub">
          {momentText(Date.parse(item.published), Date.now())} by <Clean text={item.publishedBy} max={120} />
          {item.backTo === undefined ? '' : `, version ${item.backTo} again`}
          {item.withdrawn ? ', withdrawn' : ''}
          {item.inForce ? ', published now' : ''}
        </span>
      </div>
      {item.note === undefined ? null : (
        <p>
          <Clean text={item.note} max={1000} />
        </p>
      )}
      <p className="m2">
        <span className="mono">{item.version}</span> · taken by {taken}
        {refused.length === 0 ? '' : `, refused by ${refused.length}`}
        {item.for === undefined ? '' : ' · for '}
        {item.for === undefined ? null : <Clean text={bindingText(item.for)} max={400} />}
      </p>
      {refused.map(({ gateway, reason }) => (
        <p className="fault" key={gateway}>
          <Clean text={`${gateway}: ${reason ?? 'refused'}`} max={800} />
        </p>
      ))}
    </>
  );
}

function bindingText(binding: NonNullable<Item['for']>): string {
  return Object.entries(binding)
    .map(([claim, value]) => `${claim}=${String(value)}`)
    .join(', ');
}

interface WayBackProps extends EntryProps {
  readonly tell: (fault: string) => void;
}

/** Asked twice: the second button says what it does. */
function WayBack({ item, head, again, tell }: WayBackProps): ReactElement | null {
  const { client, who, say } = useDesk();
  const [isAsked, setAsked] = useState(false);
  if (item.inForce || item.withdrawn || head === undefined) return null;
  const may = coversRole(who.role, 'administrator');
  const rollBack = async (): Promise<void> => {
    setAsked(false);
    try {
      const path = `/v1/policy/published/${segment(item.policy)}/rollback`;
      const { version } = await client.post('rollBackPolicy', path, { to: item.number, seen: head.number });
      say(`${version.id} is published: ${item.id} again.`);
      again();
    } catch (error) {
      tell(faultText(error));
    }
  };
  return isAsked ? (
    <>
      <button type="button" className="btn d" onClick={() => void rollBack()}>
        Replace {head.id} by {item.id}
      </button>
      <button type="button" className="btn" onClick={() => setAsked(false)}>
        Keep it
      </button>
    </>
  ) : (
    <button
      type="button"
      className="btn"
      disabled={!may}
      title={may ? undefined : 'This needs the role administrator'}
      onClick={() => setAsked(true)}
    >
      Roll back…
    </button>
  );
}
