// What a draft would have decided of what passed: what would break, what would open, what cannot be told.

import { type ReactElement, useEffect, useState } from 'react';
import type { OutputOf } from '../../../api/admin/routes.ts';
import { faultText } from '../../api/admin-client.ts';
import { toldEvents } from '../../api/told-events.ts';
import { countText, momentText, plural } from '../../model/display.ts';
import { type PolicyDraft, sentFiles } from '../../model/policy-draft.ts';
import { Clean } from '../../parts/clean.tsx';
import { useDesk } from '../../parts/operator.ts';

type Replayed = OutputOf<'replayPolicy'>;
const linesShown = 8;

interface Told {
  readonly replayed?: Replayed;
  readonly fault?: string;
  readonly progress?: OutputOf<'replayWhole'>;
}

export function ReplayDraft({ draft }: { readonly draft: PolicyDraft }): ReactElement {
  const { client } = useDesk();
  const [{ progress, fault, replayed }, setTold] = useState<Told>({});
  const [asking, setAsking] = useState<AbortController>();
  // Who looks elsewhere waits for it no longer.
  useEffect(() => () => asking?.abort(), [asking]);
  const replay = async (ask: (signal: AbortSignal) => Promise<Told>): Promise<void> => {
    const controller = new AbortController();
    setAsking(controller);
    setTold({});
    try {
      setTold(await ask(controller.signal));
    } catch (error) {
      setTold(controller.signal.aborted ? {} : { fault: faultText(error) });
    } finally {
      setAsking(undefined);
    }
  };
  const files = sentFiles(draft);
  const newest = async (): Promise<Told> => ({
    replayed: await client.post('replayPolicy', '/v1/policy/replay', { files }),
  });
  const whole = async (signal: AbortSignal): Promise<Told> => {
    const told = toldEvents(await client.stream('/v1/policy/replay/whole', { body: { files }, signal }));
    return await lastTold(told, setTold);
  };
  return (
    <section className="sec" aria-label="Replay">
      <div className="sech">
        <h2>Replay</h2>
        <span className="sub">what passed, decided by the draft</span>
      </div>
      <Acts asking={asking} newest={() => void replay(newest)} whole={() => void replay(whole)} />
      {progress === undefined ? null : <Progress of={progress} />}
      {fault === undefined ? null : (
        <p className="fault after" role="alert">
          <Clean text={fault} max={800} />
        </p>
      )}
      {replayed === undefined ? null : <Outcome replayed={replayed} />}
    </section>
  );
}

interface ActsProps {
  readonly asking: AbortController | undefined;
  readonly newest: () => void;
  readonly whole: () => void;
}

function Acts({ asking, newest, whole }: ActsProps): ReactElement {
  const isAsking = asking !== undefined;
  return (
    <div className="acts">
      <button type="button" className="btn" disabled={isAsking} onClick={newest}>
        Replay the newest events
      </button>
      <button type="button" className="btn" disabled={isAsking} onClick={whole}>
        Replay all that is kept
      </button>
      {asking === undefined ? null : (
        <button type="button" className="btn" onClick={() => asking.abort()}>
          Cancel the replay
        </button>
      )}
    </div>
  );
}

async function lastTold(all: AsyncIterable<unknown>, tell: (told: Told) => void): Promise<Told> {
  for await (const one of all) {
    // As the schema of the operation says.
    const progress = one as OutputOf<'replayWhole'>;
    if (progress.result !== undefined) return { replayed: progress.result };
    tell({ progress });
  }
  return { fault: 'The gateway ended it before there was a result.' };
}

/** How far it is by the time of the events: how many there are nobody counts. */
function Progress({
  of: { looked, searchedTo, oldest },
}: {
  readonly of: OutputOf<'replayWhole'>;
}): ReactElement {
  const now = Date.now();
  const share =
    searchedTo === undefined || oldest === undefined
      ? undefined
      : (now - Date.parse(searchedTo)) / Math.max(1, now - Date.parse(oldest));
  return (
    <p className="m2 after" role="status">
      <progress aria-label="How far the replay is" value={share} max={1} />{' '}
      {plural(looked, 'event', 'events')}
      {searchedTo === undefined ? '' : `, back to ${momentText(Date.parse(searchedTo), now)}`}
    </p>
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
