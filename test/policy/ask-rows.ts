// Rows of every-key.test.ts about `ask`.

import type { Decision } from '../../src/policy/decision.ts';

const asking = (ask: string | undefined): string =>
  `rules: [{ name: r, hosts: a.example.com${ask === undefined ? '' : `, ask: ${ask}`} }]`;

export const askRows = [
  {
    key: 'rules[].ask',
    with: asking('true'),
    without: asking(undefined),
    sees: (decision: Decision) => decision.effect === 'allow' && decision.asks?.choices,
    expected: [['once', 'session', 'minutes', 'always'], undefined],
  },
  {
    key: 'rules[].ask.body',
    with: asking('{ body: unseen }'),
    without: asking('true'),
    sees: (decision: Decision) => decision.effect === 'allow' && decision.asks?.body,
    expected: ['unseen', 'seen'],
  },
  {
    key: 'rules[].ask.choices',
    with: asking('{ choices: [session, once] }'),
    without: asking('true'),
    sees: (decision: Decision) => decision.effect === 'allow' && decision.asks?.choices,
    expected: [
      ['once', 'session'],
      ['once', 'session', 'minutes', 'always'],
    ],
  },
] as const;
