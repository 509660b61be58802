// Limits of a rule that are counted over a whole session.

import type { AllowDecision } from '../../policy/decision.ts';

/** What of a decision says which limits hold, and whose they are. */
export type Limited = Pick<AllowDecision, 'rule' | 'limits' | 'budget'>;

export const countedLimits = [
  'requestsPerSession',
  'bytesPerSession',
  'bytesOutPerSession',
  'urlsPerSession',
  'urlBytesPerSession',
] as const;
export type CountedLimit = (typeof countedLimits)[number];

/** As the store has it; `owner`: a rule, or a budget that rules share. */
export function budgetName(limit: CountedLimit, owner: string): string {
  return `${limit} ${owner}`;
}
