// Text of a workload, hosts and times, as every view shows them.

import type { ReactElement } from 'react';
import { cleanText } from '../model/clean-text.ts';
import { clockTime, hostParts, portSuffix } from '../model/display.ts';

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

export function Clock({ ms }: { readonly ms: number }): ReactElement {
  const { time, fraction } = clockTime(ms);
  return (
    <span className="time" title={new Date(ms).toISOString()}>
      {time}
      <i>{fraction}</i>
    </span>
  );
}
