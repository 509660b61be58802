import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderList } from '../../src/http/header-list.ts';
import type { RequestAccess } from '../../src/policy/decision.ts';
import { type ParsePolicyResult, parsePolicy } from '../../src/policy/parse-policy.ts';

const principal = { id: 'i', sessionId: 's', claims: { team: 't1' }, posture: [] };
const access: RequestAccess = {
  depth: 'request',
  destination: { scheme: 'https', host: 'api.test', port: 443 },
  method: 'GET',
  path: '/a',
  query: '',
  headers: new HeaderList(),
};

type Accepted = Extract<ParsePolicyResult, { readonly policy: unknown }>;

function policyOf(count: number, rule: (n: number) => string): Accepted {
  const rules = Array.from({ length: count }, (_, n) => `  - { name: r${n}, ${rule(n)} }\n`);
  const result = parsePolicy([{ file: 'policy.yaml', text: `rules:\n${rules.join('')}` }]);
  if ('problems' in result) assert.fail(JSON.stringify(result.problems));
  return result;
}

const isRefused = ({ policy }: Accepted): boolean =>
  policy.decide(principal, access, 0).rule.name === 'work-limit';

const unguarded = (n: number): string => `hosts: api.test, when: 'request.path.contains("x${n}y")'`;

test('conditions that have to be run one by one, and are more than a decision may cost, are told with place and advice', () => {
  const result = policyOf(1500, unguarded);
  assert.ok(isRefused(result));
  const [warning, ...others] = result.warnings;
  assert.deepEqual(others, []);
  assert.deepEqual([warning?.file, warning?.line, warning?.severity], ['policy.yaml', 2, 'warning']);
  assert.match(
    warning?.message ?? '',
    /^1500 rules for api\.test .* \(decisionStepsMax\).*claims\.repository == .*\(and 1499 more in this file\)$/,
  );
});

test('the same guard for all of them is none', () => {
  const result = policyOf(1500, (n) => `${unguarded(n).slice(0, -1)} && claims.team == "t1"'`);
  assert.ok(isRefused(result));
  assert.equal(result.warnings.length, 1);
});

for (const [name, count, rule] of [
  ['few of them', 600, unguarded],
  ['each has its own host', 1500, (n: number) => unguarded(n).replace('api.test', `api${n}.test`)],
  ['each has its own path', 1500, (n: number) => `${unguarded(n)}, paths: /p${n}/*`],
  ['each has its own guard', 1500, (n: number) => `${unguarded(n).slice(0, -1)} && claims.team == "t${n}"'`],
  ['they are for sessions of their own', 1500, (n: number) => `${unguarded(n)}, for: { team: t${n} }`],
] as const) {
  test(`nothing is told, and nothing refused, where ${name}`, () => {
    const result = policyOf(count, rule);
    assert.equal(isRefused(result), false);
    assert.deepEqual(result.warnings, []);
  });
}
