import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parsePolicy } from '../../src/policy/parse-policy.ts';
import type { RuleDocument } from '../../src/policy/policy-schema.ts';
import { budgetOf } from '../../src/policy/rule-budget.ts';

const base = {
  name: 'a',
  hosts: ['example.com'],
  limits: { requestsPerSession: 5, bytesPerSession: '1 MB' },
};
const nameOf = (document: RuleDocument): string | undefined => budgetOf(document, () => undefined);

test('a budget is the same after its rule got another name, description or order of keys', () => {
  const name = nameOf(base);
  assert.match(name ?? '', /^hash [0-9a-f]{16}$/);
  assert.equal(nameOf({ ...base, name: 'b' }), name);
  assert.equal(nameOf({ ...base, description: 'for people' }), name);
  const { hosts, limits } = base;
  const reversed = { bytesPerSession: limits.bytesPerSession, requestsPerSession: limits.requestsPerSession };
  assert.equal(nameOf({ limits: reversed, hosts, name: 'c' }), name);
});

test('whatever else a rule says begins another budget, unless it has a name', () => {
  const name = nameOf(base);
  const changes = [{ hosts: ['example.org'] }, { methods: ['GET'] }, { limits: { requestsPerSession: 6 } }];
  for (const change of changes) {
    assert.notEqual(nameOf({ ...base, ...change }), name);
    const limits = { ...base.limits, ...change.limits, budget: 'tickets' };
    assert.equal(nameOf({ ...base, ...change, limits }), 'budget tickets');
  }
});

test('a rule that counts nothing over a session has no budget', () => {
  assert.equal(nameOf({ ...base, limits: { requestsPerSecond: 5 } }), undefined);
  assert.equal(nameOf({ name: 'a', hosts: ['example.com'] }), undefined);
});

/** What `policy check` says of two rules with these limits. */
function said(...limits: readonly string[]): readonly string[] {
  const rules = limits.map((one, i) => `  - { name: r${i}, hosts: h${i}.example.com, limits: { ${one} } }`);
  const result = parsePolicy([{ file: 'p.yaml', text: `rules:\n${rules.join('\n')}\n` }]);
  const problems = 'problems' in result ? result.problems : result.warnings;
  return problems.map(({ severity, message }) => `${severity}: ${message}`);
}

test('rules that share a budget with different limits are warned of, and none else', () => {
  const [first, ...more] = said(
    'requestsPerSession: 5, budget: tickets',
    'requestsPerSession: 6, budget: tickets',
  );
  assert.match(first ?? '', /^warning: the budget tickets is shared with "r0" \(p\.yaml:2\), whose/);
  assert.deepEqual(more, []);
  assert.deepEqual(said('requestsPerSession: 5, budget: a', 'requestsPerSession: 5, budget: a'), []);
  assert.deepEqual(said('requestsPerSession: 5, budget: a', 'requestsPerSession: 6, budget: b'), []);
});

test('a budget that is no name, or in which nothing is counted, is refused', () => {
  for (const name of ['""', 'Tickets', '"a b"', '-a', 'a'.repeat(65), '7'])
    assert.match(
      said(`requestsPerSession: 5, budget: ${name}`)[0] ?? '',
      /^error: .*write a name of at most 64/,
    );
  assert.match(said('requestsPerSecond: 5, budget: a')[0] ?? '', /^error: nothing is counted in this budget/);
});
