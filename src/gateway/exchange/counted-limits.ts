// Limits of a rule that are counted over a whole session.

import type { AllowDecision } from '../../policy/decision.ts';

/** What of a decision says which limits hold, and whose they are. */
export type Limited = Pick<AllowDecision, 'rule' | 'limits' | 'budget'>;

export type CountedLimit =
  | 'requestsPerSession'
  | 'bytesPerSession'
  | 'bytesOutPerSession'
  | 'urlsPerSession'
  | 'urlBytesPerSession';
