// `ask` of a rule: what it admits goes on when a person says so, and not before.

/** How far a person may let it go, the narrowest first. `minutes` are 15 of them; `always` holds once and proposes a rule. */
export const askChoices = ['once', 'session', 'minutes', 'always'] as const;
export type AskChoice = (typeof askChoices)[number];

export interface RuleAsk {
  /** `unseen`: what nobody can look at whole is asked about too. */
  readonly body: 'seen' | 'unseen';
  readonly choices: readonly AskChoice[];
}

/** A decision that holds once a person has said so. */
export interface AskedOf extends RuleAsk {
  /** The rule that asks; with a ceiling that asks above it, the rule below. */
  readonly rule: string;
}

/** What both ask for: never more than either of them lets a person say. */
export function bothAsks(own: AskedOf | undefined, bound: AskedOf | undefined): AskedOf | undefined {
  if (own === undefined || bound === undefined) return own ?? bound;
  const both = own.choices.filter((choice) => bound.choices.includes(choice));
  return {
    rule: own.rule,
    body: own.body === 'unseen' && bound.body === 'unseen' ? 'unseen' : 'seen',
    // The narrowest that there is, which neither can be without.
    choices: both.length === 0 ? ['once'] : both,
  };
}

/** Whether nothing goes on by `inner` of which `outer` would not be asked as much. */
export function askCovers(outer: RuleAsk | undefined, inner: RuleAsk | undefined): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  const isAsSeen = outer.body === 'unseen' || inner.body === 'seen';
  return isAsSeen && inner.choices.every((choice) => outer.choices.includes(choice));
}

/** For people. */
export function askText({ body, choices }: RuleAsk): string {
  const unseen = body === 'unseen' ? '; what cannot be shown is asked about unseen' : '';
  return `${choices.join(', ')}${unseen}`;
}
