// Long work of the thread that serves: some of it in each turn of the event loop, so that requests pass between two.

import { setImmediate as nextTurn } from 'node:timers/promises';

/** Does the steps, each of which says how much it was; so much of them is done in one turn: about a millisecond. */
export async function inTurns<T>(steps: Generator<number, T, void>, weightMax = 512): Promise<T> {
  let weight = 0;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    weight += step.value;
    if (weight < weightMax) continue;
    weight = 0;
    await nextTurn();
  }
}
