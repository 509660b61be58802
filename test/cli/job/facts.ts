// What a job had, for tests of what is told of it.

import type { JobFacts } from '../../../src/cli/job/job-facts.ts';

export const quietFacts: JobFacts = {
  form: 'files',
  policy: 'policy.yaml',
  gatewayUrl: undefined,
  places: { named: [], others: 0 },
  refused: [],
  refusedElse: 0,
  alarms: [],
  would: [],
  proposal: undefined,
  early: undefined,
  unread: undefined,
  tunnelBroke: false,
};

const refusal = {
  kind: 'exchange',
  method: 'GET',
  scheme: 'https',
  host: 'a.example.com',
  port: 443,
  path: '/|x',
  code: 'policy_denied',
  rule: 'default-deny',
  count: 1,
} as const;

/** Everything that can go wrong. */
export const loudFacts: JobFacts = {
  ...quietFacts,
  places: {
    named: [
      {
        name: 'https://a.example.com',
        methods: new Set(['GET', 'A|B']),
        allowed: 1,
        refused: 3,
        raw: 0,
        failed: 0,
      },
    ],
    others: 2,
  },
  refused: [
    { refusal, isMeant: false, count: 2 },
    { refusal: { ...refusal, rule: 'no-uploads' }, isMeant: true, count: 1 },
  ],
  refusedElse: 4,
  alarms: [{ text: 'token_reused: <b>', count: 1 }],
  early: 'its process was killed',
};
