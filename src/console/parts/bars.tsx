// Names with a bar and a number: the longest bar is the most.

import type { ReactElement, ReactNode } from 'react';
import { countText } from '../model/display.ts';

export interface Bar {
  readonly key: string;
  readonly name: ReactNode;
  readonly count: number;
  readonly isDenied: boolean;
}

export function Bars({ bars }: { readonly bars: readonly Bar[] }): ReactElement {
  const most = Math.max(1, ...bars.map(({ count }) => count));
  return (
    <div className="bars">
      {bars.map(({ key, name, count, isDenied }) => (
        <div className="b1" key={key}>
          <span className="el">{name}</span>
          <div className="track">
            <span
              className={isDenied ? 'dn' : ''}
              style={{ width: `${Math.max(2, (count / most) * 100)}%` }}
            />
          </div>
          <span className="r">
            {countText(count)}
            {isDenied ? <span className="hidden"> denied</span> : null}
          </span>
        </div>
      ))}
    </div>
  );
}
