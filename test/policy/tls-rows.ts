// The keys of `tls`, for every-key.test.ts.

import type { Decision } from '../../src/policy/decision.ts';

interface Row {
  readonly key: string;
  readonly with: string;
  readonly without: string;
  readonly asked: string;
  readonly sees: (decision: Decision) => unknown;
  readonly expected: readonly [withKey: unknown, withoutKey: unknown];
}

const host = 'hosts: a.example.com';
const rule = (keys: string): string => `rules: [{ name: r, ${keys} }]`;

export const tlsRows: readonly Row[] = [
  {
    key: 'tls',
    asked: 'https://a.example.com',
    with: `tls: auto\n${rule(host)}`,
    without: rule(host),
    sees: (decision) => decision.effect === 'allow' && decision.handling,
    expected: ['passthrough', 'intercept'],
  },
  {
    key: 'rules[].tls',
    with: rule(`${host}, tls: passthrough`),
    without: rule(host),
    asked: 'https://a.example.com',
    sees: (decision) => decision.effect === 'allow' && decision.handling,
    expected: ['passthrough', 'intercept'],
  },
  {
    key: 'rules[].tls.passthrough',
    with: rule(`${host}, tls: { passthrough: true }`),
    without: rule(host),
    asked: 'https://a.example.com',
    sees: (decision) => decision.effect === 'allow' && decision.handling,
    expected: ['passthrough', 'intercept'],
  },
  {
    key: 'rules[].tls.ech',
    with: rule(`${host}, tls: { passthrough: true, ech: refuse }`),
    without: rule(`${host}, tls: { passthrough: true }`),
    asked: 'https://a.example.com',
    sees: (decision) => decision.effect === 'allow' && decision.refusesEch,
    expected: [true, undefined],
  },
];
