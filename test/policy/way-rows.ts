// Keys about where something goes and by which way, for every-key.test.ts.

import type { Decision } from '../../src/policy/decision.ts';

const rule = (keys: string): string => `rules: [{ name: r, hosts: a.example.com${keys} }]`;

const datagrams = (keys: string): string => rule(`, scheme: udp, ports: 53${keys}`);

export const wayRows = [
  {
    key: 'rules[].exit',
    with: rule(', exit: office'),
    without: rule(''),
    sees: (decision: Decision) => decision.effect === 'allow' && decision.exit,
    expected: ['office', undefined],
  },
  {
    key: 'rules[].dns',
    with: datagrams(', dns: { names: "*.example.com" }'),
    without: datagrams(''),
    asked: 'udp://a.example.com:53',
    sees: (decision: Decision) => decision.effect === 'allow' && decision.dns,
    expected: [[[{ kind: 'suffix', suffix: 'example.com' }]], undefined],
  },
  {
    key: 'rules[].dns.names',
    with: datagrams(', dns: { names: one.test }'),
    without: datagrams(', dns: { names: "*" }'),
    asked: 'udp://a.example.com:53',
    sees: (decision: Decision) => decision.effect === 'allow' && decision.dns,
    expected: [
      [[{ kind: 'exact', host: 'one.test', isAddress: false }]],
      [[{ kind: 'any', withAddresses: false }]],
    ],
  },
] as const;
