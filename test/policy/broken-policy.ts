// The form of the tables of broken policies.

import type { ParsePolicyOptions } from '../../src/policy/parse-policy.ts';

/** A policy with one mistake, and every line that is told about it. */
export type BrokenPolicy = readonly [
  name: string,
  text: string | readonly string[],
  problems: readonly string[],
  options?: ParsePolicyOptions,
];

/** A policy of one rule named `a`; the lines are its further keys. */
export const rule = (lines: string): string =>
  `rules:\n  - name: a\n    ${lines.replaceAll('\n', '\n    ')}\n`;
