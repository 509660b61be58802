// The rule that came closest to allowing what was asked for: where a policy would have to change least.

import type { OutputOf } from '../../api/admin/routes.ts';

type Step = OutputOf<'explainPolicy'>['steps'][number];

/** Undefined where no rule that allows has the host. */
export function nearestRule(steps: readonly Step[]): Step | undefined {
  const missed = steps.filter(({ effect, stopsAt }) => effect === 'allow' && stopsAt !== undefined);
  // The first in the order of the policy among those that hold longest.
  return missed.toSorted((a, b) => left(a) - left(b))[0];
}

/** How many of its conditions were not reached. */
function left({ looksAt, stopsAt }: Step): number {
  const at = looksAt.indexOf(stopsAt?.condition ?? '');
  return looksAt.length - at;
}
