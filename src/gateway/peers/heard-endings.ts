// What ended, as another gateway says. Its numbers are those of the history of the store that it is on.

import type { NumberedEnding } from '../../store/store.ts';
import type { TakenChanges } from '../changes/taken-changes.ts';
import { withoutNumber } from '../sessions/ended-sessions.ts';
import type { SessionWatch } from '../sessions/session-watch.ts';

export interface HearingParts {
  readonly watch: Pick<SessionWatch, 'hear'>;
  readonly changes: Pick<TakenChanges, 'heard' | 'history'>;
  /** Whether endings have numbers of changes; in a file they are numbered by themselves. */
  readonly areChanges: boolean;
}

/** Ends those of them that live here, whatever history that gateway is on. */
export function hearEndings(
  { watch, changes, areChanges }: HearingParts,
  endings: readonly NumberedEnding[],
  history: string | undefined,
): void {
  const isOurs = history !== undefined && history === changes.history;
  // What is kept here is told on with the history of this gateway, in which that number is another change.
  watch.hear(isOurs ? endings : endings.map((one) => ({ ...one, sequence: withoutNumber })));
  if (!isOurs || !areChanges) return;
  changes.heard(
    endings.map(({ sequence }) => sequence),
    history,
  );
}
