// What a rule gives to a request that it allows is the same for every request: it is made once.

import type { AllowDecision } from './decision.ts';
import type { Rule } from './rule.ts';

/** Of the rules of one policy. */
export class KeptAllows {
  readonly #byDestination = new Map<Rule, AllowDecision>();
  readonly #others = new Map<Rule, AllowDecision>();

  /** @param isByDestination whether no rule for the host looks at more than that */
  of(rule: Rule, isByDestination: boolean, make: () => AllowDecision): AllowDecision {
    const kept = isByDestination ? this.#byDestination : this.#others;
    let allow = kept.get(rule);
    if (allow === undefined) kept.set(rule, (allow = make()));
    return allow;
  }
}
