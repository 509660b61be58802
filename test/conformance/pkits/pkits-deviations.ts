// Paths that PKITS calls valid and we refuse.

import type { Deviations } from '../suite.ts';

export const pkitsDeviations: readonly Deviations[] = [
  {
    reason:
      'names of mail and URIs are not compared: where they are constrained, a certificate with one is refused (nobody serves by them)',
    cases: [
      '4.13.21 Valid RFC822 nameConstraints Test21',
      '4.13.23 Valid RFC822 nameConstraints Test23',
      '4.13.25 Valid RFC822 nameConstraints Test25',
      '4.13.27 Valid DN and RFC822 nameConstraints Test27',
      '4.13.34 Valid URI nameConstraints Test34',
      '4.13.36 Valid URI nameConstraints Test36',
    ],
  },
];
