// The keys of `logIn`, for every-key.test.ts.

import type { Decision } from '../../src/policy/decision.ts';

interface Row {
  readonly key: string;
  readonly with: string;
  readonly without: string;
  readonly sees: (decision: Decision) => unknown;
  readonly expected: readonly [withKey: unknown, withoutKey: unknown];
}

const rule = (keys: string): string => `rules: [{ name: r, hosts: a.example.com, paths: /**${keys} }]`;
const sees: Row['sees'] = (decision) => decision.effect === 'allow' && decision.logIn;

export const logInRows: readonly Row[] = [
  {
    key: 'rules[].logIn',
    with: rule(', logIn: github'),
    without: rule(''),
    sees,
    expected: [{ name: 'github' }, undefined],
  },
  {
    key: 'rules[].logIn.name',
    with: rule(', logIn: { name: github }'),
    without: rule(', logIn: { name: other }'),
    sees,
    expected: [{ name: 'github' }, { name: 'other' }],
  },
  {
    key: 'rules[].logIn.issuer',
    with: rule(', logIn: { name: github, issuer: true }'),
    without: rule(', logIn: github'),
    sees,
    expected: [{ name: 'github', isIssuer: true }, { name: 'github' }],
  },
  {
    key: 'rules[].logIn.revoke',
    with: rule(', logIn: { name: github, issuer: true, revoke: /oauth/revoke }'),
    without: rule(', logIn: { name: github, issuer: true }'),
    sees,
    expected: [
      { name: 'github', isIssuer: true, revoke: '/oauth/revoke' },
      { name: 'github', isIssuer: true },
    ],
  },
];
