// Text of a workload, hosts and times, as every view shows them.

import type { ReactElement } from 'react';
import { cleanText } from '../model/clean-text.ts';
import { ageText, clockTime, hostParts, portSuffix } from '../model/display.ts';
import { useNow, useTimes } from './operator.ts';

/** Whatever it holds, it is a line of text that orders and hides nothing beside it. */
export function Clean({ text, max }: { readonly text: string; readonly max?: number }): ReactElement {
  const { pieces, leftOut } = cleanText(text, max);
  return (
    <span className="clean">
      {pieces.map(({ text: piece, isEscape }, at) =>
        isEscape ? (
          // The pieces of one text never change their order.
          <span className="esc" key={at}>
            {piece}
          </span>
        ) : (
          piece
        ),
      )}
      {leftOut > 0 ? <span className="m">… {leftOut} characters more</span> : null}
    </span>
  );
}

interface HostProps {
  readonly host: string;
  readonly scheme?: string | undefined;
  readonly port?: number | undefined;
}

/** The registered name strong; the port only where it is not the scheme's own. */
export function Host({ host, scheme, port }: HostProps): ReactElement {
  const { below, domain } = hostParts(host);
  const suffix = portSuffix(scheme, port);
  return (
    <>
      {below === '' ? null : (
        <i>
          <Clean text={below} max={253} />
        </i>
      )}
      <b>
        <Clean text={domain} max={253} />
      </b>
      {suffix === '' ? null : <i>{suffix}</i>}
    </>
  );
}

/** By the clock, or how long ago, as somebody chose. */
export function Clock({ ms }: { readonly ms: number }): ReactElement {
  return useTimes() === 'ago' ? <Ago ms={ms} /> : <ClockTime ms={ms} />;
}

const hourMs = 3_600_000;

/** Beyond an hour the clock says more. */
function Ago({ ms }: { readonly ms: number }): ReactElement {
  const now = useNow();
  if (now - ms >= hourMs) return <ClockTime ms={ms} />;
  return (
    <span className="time" title={new Date(ms).toISOString()}>
      {ageText(Math.max(0, now - ms))} <i>ago</i>
    </span>
  );
}

function ClockTime({ ms }: { readonly ms: number }): ReactElement {
  const { time, fraction } = clockTime(ms);
  return (
    <span className="time" title={new Date(ms).toISOString()}>
      {time}
      <i>{fraction}</i>
    </span>
  );
}
