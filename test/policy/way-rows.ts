// Keys about where something goes and by which way, for every-key.test.ts.

import type { Decision } from '../../src/policy/decision.ts';

const rule = (keys: string): string => `rules: [{ name: r, hosts: a.example.com${keys} }]`;

export const wayRows = [
  {
    key: 'rules[].exit',
    with: rule(', exit: office'),
    without: rule(''),
    sees: (decision: Decision) => decision.effect === 'allow' && decision.exit,
    expected: ['office', undefined],
  },
] as const;
