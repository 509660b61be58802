// Whether a policy allows anything that the ceiling above it does not, as warnings for whoever publishes it.

import type { Steps } from '../compare-reach.ts';
import type { CompiledPolicy } from '../compiled-policy.ts';
import { proofSteps } from './prove-policy.ts';

interface WithinTask {
  readonly policy: CompiledPolicy;
  readonly ceiling: CompiledPolicy;
  readonly nowMs: number;
  readonly statesMax: number;
}

/** None where it is proven over every host, port, method and path that the ceiling allows all of it, whoever asks. */
export function* withinCeilingWarnings({
  policy,
  ceiling,
  nowMs,
  statesMax,
}: WithinTask): Steps<readonly string[]> {
  const claim = { kind: 'only', bound: ceiling } as const;
  const result = yield* proofSteps({ policies: [policy], claim, asker: {}, nowMs, statesMax });
  switch (result.kind) {
    case 'proven':
      return [];
    case 'inconclusive':
      return [`not proven to be within the ceiling: ${result.why}`];
    case 'counterexample':
    case 'possible': {
      const { method, url, fromMs, needs } = result.example;
      const from = fromMs === undefined ? '' : `, from ${new Date(fromMs).toISOString()} on`;
      if (result.kind === 'counterexample')
        return [`${method} ${url} is allowed here and not by the ceiling${from}, so it is denied`];
      const condition = needs.length === 0 ? '' : `, if ${needs.join(', and ')}`;
      return [
        `not proven to be within the ceiling: ${method} ${url} could be allowed here and not there${from}${condition}`,
      ];
    }
  }
}
