// A generated search with its seed, against what we have and against what is often built: the same inputs find nothing here, and something
// there. If they found nothing there either, they would be no attack.

import assert from 'node:assert/strict';
import { inspect } from 'node:util';

import fc from 'fast-check';

import { nextTurn, type Arena } from './arena.ts';
import type { Attack, Scale } from './attack.ts';

const neighbourMsMax = 2_500;
const turnMsMax = 20;

/** What went wrong with an input, in words; undefined: nothing. */
export type Finding = string | undefined;

export interface Search<T> {
  readonly seed: number;
  readonly inputs: fc.Arbitrary<T>;
  /** How many inputs are tried; a fifth of them inside `npm test`. */
  readonly runs?: number;
  readonly ours: (input: T, arena: Arena) => Finding | Promise<Finding>;
  /** The same where the guard is missing, or is as it often is. */
  readonly naive: (input: T) => Finding | Promise<Finding>;
}

/** The case that plays a search; its control is the other target. */
export function searched<T>({ seed, inputs, runs = 500, ours, naive }: Search<T>): Attack {
  const sample = (scale: Scale): readonly T[] =>
    fc.sample(inputs, { seed, numRuns: scale === 'full' ? runs : Math.ceil(runs / 5) });
  return {
    neighbourMsMax,
    run: async (arena, scale) => {
      let turnMs = performance.now();
      for (const input of sample(scale)) {
        const finding = await ours(input, arena);
        assert.equal(finding, undefined, `seed ${seed}: ${inspect(input, { depth: 5 }).slice(0, 500)}`);
        // Most of these attacks burn this very process: in between the neighbour has its turn.
        if (performance.now() - turnMs < turnMsMax) continue;
        await nextTurn();
        turnMs = performance.now();
      }
    },
    control: async () => {
      // It ends with the first that gets through.
      for (const input of sample('full')) if ((await naive(input)) !== undefined) return;
      assert.fail(`seed ${seed} finds nothing where nothing guards`);
    },
  };
}
