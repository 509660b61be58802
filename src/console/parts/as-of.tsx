// What is shown was known earlier: the fault comes first, then since when.

import type { ReactElement } from 'react';
import { momentText } from '../model/display.ts';
import { Clean } from './clean.tsx';
import { Icon } from './icon.tsx';
import { type Asked, useNow } from './operator.ts';

/** Nothing while the last try came through. Where nothing was known before, the view itself says what is wrong. */
export function AsOf({ asked }: { readonly asked: Asked<unknown> }): ReactElement | null {
  const { fault, atMs } = asked;
  const now = useNow();
  if (fault === undefined || atMs === undefined) return null;
  return (
    <div className="banner" role="alert">
      <Icon name="warn" size={13} />
      <span>
        <Clean text={fault} /> What is shown is as of {momentText(atMs, now)}.
      </span>
    </div>
  );
}
