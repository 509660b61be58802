// Says that a list keeps still, and how much waits.

import type { ReactElement } from 'react';
import { plural } from '../model/display.ts';
import type { Held } from './held-list.ts';

export function HeldNote({ held }: { readonly held: Held }): ReactElement | null {
  if (held.waiting === 0) return null;
  return (
    <div className="gh held">
      <span className="sp">The list keeps still under the pointer.</span>
      <button type="button" className="btn" onClick={held.release}>
        Show {plural(held.waiting, 'change', 'changes')}
      </button>
    </div>
  );
}
