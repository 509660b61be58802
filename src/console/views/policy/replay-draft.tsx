// What a draft would have decided of what passed: what would break, what would open, what cannot be told.

import { type ReactElement, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { faultText } from '../../api/admin-client.ts';
import { countText, momentText, plural } from '../../model/display.ts';
import { type PolicyDraft, sentFiles } from '../../model/policy-draft.ts';
import { Clean } from '../../parts/clean.tsx';
import { useDesk } from '../../parts/operator.ts';

type Replayed = OutputOf<'replayPolicy'>;
const linesShown = 8;

export function ReplayDraft({ draft }: { readonly draft: PolicyDraft }): ReactElement {
  const { client } = useDesk();
  const [told, setTold] = useState<{ readonly replayed?: Replayed; readonly fault?: string }>({});
  const [isAsking, setAsking] = useState(false);
  const replay = async (): Promise<void> => {
    setAsking(true);
    try {
      const body = { files: sentFiles(draft) };
      setTold({ replayed: await client.post('replayPolicy', '/v1/policy/replay', body) });
    } catch (error) {
      setTold({ fault: faultText(error) });
    } finally {
      setAsking(false);
    }
  };
  return (
    <section className="sec" aria-label="Replay">
      <div className="sech">
        <h2>Replay</h2>
        <span className="sub">what passed, decided by the draft</span>
      </div>
      <div className="acts">
        <button type="button" className="btn" disabled={isAsking} onClick={() => void replay()}>
          Replay the newest events
        </button>
      </div>
      {told.fault === undefined ? null : (
        <p className="fault after" role="alert">
          <Clean text={told.fault} max={800} />
        </p>
      )}
      {told.replayed === undefined ? null : <Outcome replayed={told.replayed} />}
    </section>
  );
}

function Outcome({ replayed }: { readonly replayed: Replayed }): ReactElement {
  const { flips, unsure, searchedTo } = replayed;
  const breaks = flips.filter(({ change }) => change === 'allow → deny');
  const opens = flips.filter(({ change }) => change === 'deny → allow');
  const others = flips.filter(({ change }) => change === 'injection');
  return (
    <div className="after" role="status">
      <p>
        {plural(replayed.replayed, 'decision', 'decisions')} made again
        {searchedTo === undefined ? '' : `, back to ${momentText(Date.parse(searchedTo), Date.now())}`};{' '}
        {countText(replayed.unchanged)} unchanged.
      </p>
      <Group title="Would break" lines={breaks} />
      <Group title="Would open" lines={opens} />
      <Group title="Would get other credentials" lines={others} />
      <Group title="Cannot be told" lines={unsure} />
    </div>
  );
}

interface GroupProps {
  readonly title: string;
  readonly lines: readonly { readonly request: string; readonly count: number }[];
}

function Group({ title, lines }: GroupProps): ReactElement | null {
  if (lines.length === 0) return null;
  const shown = lines.slice(0, linesShown);
  return (
    <>
      <h3>{title}</h3>
      {shown.map(({ request, count }, at) => (
        // One list is shown once; its lines never change their order.
        <p className="m2" key={at}>
          {countText(count)}× <Clean text={request} max={200} />
        </p>
      ))}
      {lines.length > shown.length ? <p className="m">and {lines.length - shown.length} more</p> : null}
    </>
  );
}
