// The keys of `decide`, for every-key.test.ts.

import type { Decision } from '../../src/policy/decision.ts';

interface Row {
  readonly key: string;
  readonly with: string;
  readonly without: string;
  readonly sees: (decision: Decision) => unknown;
  readonly expected: readonly [withKey: unknown, withoutKey: unknown];
}

const rule = (keys: string): string => `rules: [{ name: r, hosts: a.example.com${keys} }]`;
const first = (decision: Decision) => (decision.effect === 'allow' ? decision.deciders?.[0] : undefined);
const row = (key: string, value: string, sees: Row['sees'], expected: Row['expected']): Row => ({
  key: `rules[].decide.${key}`,
  with: rule(`, decide: { by: opa, ${key}: ${value} }`),
  without: rule(', decide: { by: opa }'),
  sees,
  expected,
});

export const decideRows: readonly Row[] = [
  {
    key: 'rules[].decide',
    with: rule(', decide: { by: opa }'),
    without: rule(''),
    sees: (decision) => first(decision)?.by,
    expected: ['opa', undefined],
  },
  {
    key: 'rules[].decide.by',
    with: rule(', decide: { by: judge }'),
    without: rule(', decide: { by: opa }'),
    sees: (decision) => first(decision)?.by,
    expected: ['judge', 'opa'],
  },
  row('timeoutMs', '50', (decision) => first(decision)?.timeoutMs, [50, 1000]),
  // There is nothing else that it could be.
  row('onError', 'deny', (decision) => first(decision)?.by, ['opa', 'opa']),
  row('body', 'unseen', (decision) => first(decision)?.body, ['unseen', 'whole']),
  row('cacheMs', '5', (decision) => first(decision)?.cacheMs, [5, 0]),
  row('mayAdd', 'X-Team', (decision) => first(decision)?.mayAdd, [['x-team'], []]),
  row('mayRemove', '[X-A, x-b]', (decision) => first(decision)?.mayRemove, [['x-a', 'x-b'], []]),
];
