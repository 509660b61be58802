// Rules that include an entry of the catalogue: what they become, and what is said of those that can't.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { askedRequest } from '../../../src/gateway/policies/asked-access.ts';
import { versionOf } from '../../../src/gateway/policies/policy-version.ts';
import type { CompiledPolicy } from '../../../src/policy/compiled-policy.ts';
import { discoveredTools, parsePolicy } from '../../../src/policy/parse-policy.ts';
import { formatProblem } from '../../../src/policy/problem.ts';

const entry = `
catalog:
  tracker:
    title: Tracker
    version: 1
    checked: 2026-11-28
    sources: [https://tracker.example.com/docs]
    tenant: the name before .tracker.example.com
    credentials: { api: { kind: bearer }, git: { kind: basic, username: git } }
    parts:
      - { name: keys, access: reveals, why: keys of the API, hosts: '{tenant}.tracker.example.com', paths: /v1/keys/* }
      - { name: read, access: read, credential: api, hosts: '{tenant}.tracker.example.com', methods: [GET, HEAD] }
      - { name: write, access: write, credential: api, hosts: '{tenant}.tracker.example.com', methods: POST }
      - { name: fetch, access: read, credential: git, hosts: git.tracker.example.com, git: { operations: fetch } }
      - { name: push, access: write, credential: git, hosts: git.tracker.example.com, git: { operations: push } }
`;

function parse(rules: string, options: Parameters<typeof parsePolicy>[1] = {}, entries = entry) {
  return parsePolicy(
    [
      { file: 'rules.yaml', text: `version: 1\nrules:\n${rules}` },
      { file: 'catalog.yaml', text: `version: 1\n${entries}` },
    ],
    options,
  );
}

function policyOf(rules: string): CompiledPolicy {
  const parsed = parse(rules);
  assert.ok('policy' in parsed, JSON.stringify(parsed));
  return parsed.policy;
}

const nowMs = Date.UTC(2026, 10, 28);

/** The rule that decides, with its effect and its credentials. */
function decided(policy: CompiledPolicy, request: string, claims: Record<string, string> = {}): string {
  const [method = '', url = ''] = request.split(' ');
  const principal = { id: 'p', sessionId: 's', claims, posture: [] };
  const decision = policy.decide(principal, askedRequest(method, url), nowMs);
  const credentials =
    decision.effect === 'allow' ? decision.inject.map(({ credential }) => ` ${credential}`).join('') : '';
  return `${decision.effect} ${decision.rule.name}${credentials}`;
}

function problems(rules: string, options: Parameters<typeof parsePolicy>[1] = {}, entries = entry): string[] {
  const parsed = parse(rules, options, entries);
  return ('problems' in parsed ? parsed.problems : parsed.warnings).map(formatProblem);
}

const at = 'https://acme.tracker.example.com/v1';
const fetch = 'GET https://git.tracker.example.com/acme/app/info/refs?service=git-upload-pack';
const push = 'GET https://git.tracker.example.com/acme/app/info/refs?service=git-receive-pack';
const catalog = (more: string): string =>
  `  - { name: ours, include: catalog/tracker, git: { repository: acme/app }, catalog: { tenant: acme, ${more} } }`;

describe('a rule that includes an entry', () => {
  test('reads by default, and is refused what brings secrets with it', () => {
    const policy = policyOf(catalog('inject: { api: key, git: deploy }'));
    assert.equal(decided(policy, `GET ${at}/items`), 'allow ours/read key');
    assert.equal(decided(policy, `GET ${at}/keys/1`), 'deny ours/keys');
    assert.equal(decided(policy, `POST ${at}/items`), 'deny default-deny');
    assert.equal(decided(policy, fetch), 'allow ours/fetch deploy');
    assert.equal(decided(policy, push), 'deny default-deny');
    assert.equal(decided(policy, fetch.replace('/acme/app', '/acme/other')), 'deny default-deny');
    const other = decided(policy, 'GET https://other.tracker.example.com/v1/items');
    assert.equal(other, 'deny default-deny', 'of another tenant');
  });

  test('writes and shows secrets where it says so, and without a credential it puts none on', () => {
    const writing = policyOf(catalog('access: [read, write]'));
    assert.equal(decided(writing, `POST ${at}/items`), 'allow ours/write');
    assert.equal(decided(writing, push), 'allow ours/push');
    assert.equal(decided(writing, `POST ${at}/keys/1`), 'deny ours/keys');
    const all = policyOf(catalog('access: [read, write, reveals]'));
    assert.equal(decided(all, `POST ${at}/keys/1`), 'allow ours/keys');
    const alone = policyOf(catalog('access: reveals'));
    assert.equal(decided(alone, `GET ${at}/items`), 'deny default-deny');
  });

  test('denies no more than it is for: not to other sessions, and not when it has expired', () => {
    const rule = (more: string): string =>
      `${catalog('').slice(0, -1)}, ${more} }\n  - { name: mine, hosts: acme.tracker.example.com }`;
    const policy = policyOf(rule('for: { team: a }'));
    assert.equal(decided(policy, `GET ${at}/keys/1`, { team: 'a' }), 'deny ours/keys');
    assert.equal(decided(policy, `GET ${at}/keys/1`, { team: 'b' }), 'allow mine');
    const expired = policyOf(rule('expires: 2026-01-01T00:00:00Z'));
    assert.equal(decided(expired, `GET ${at}/keys/1`), 'allow mine');
  });

  test('counts over a session as one rule', () => {
    const rule = `${catalog('access: [read, write]').slice(0, -1)}, limits: { requestsPerSession: 5 } }`;
    const budgets = policyOf(rule).rules.map(({ budget }) => budget);
    assert.deepEqual(new Set(budgets), new Set([undefined, 'budget ours']));
  });

  test('keeps its own conditions beside those of the entry', () => {
    const policy = policyOf(`${catalog('').slice(0, -1)}, when: 'claims.team == "a"' }`);
    assert.equal(decided(policy, `GET ${at}/items`, { team: 'a' }), 'allow ours/read');
    assert.equal(decided(policy, `GET ${at}/items`, { team: 'b' }), 'deny default-deny');
  });
});

describe('what can not be', () => {
  const said: readonly (readonly [string, string, RegExp])[] = [
    [
      'an entry that there is none of',
      '  - { name: a, include: catalog/trakcer }',
      /did you mean catalog\/tracker/,
    ],
    ['no tenant', '  - { name: a, include: catalog/tracker }', /needs your part of the service/],
    ['a path of its own', `${catalog('').slice(0, -1)}, paths: /v1/* }`, /remove "paths"/],
    [
      'a group beside it',
      `  - { name: a, include: [catalog/tracker, group], catalog: { tenant: a } }`,
      /stands alone/,
    ],
    [
      'one credential for two forms',
      `${catalog('').slice(0, -1)}, inject: key }`,
      /in these forms: api, git/,
    ],
    ['an unknown form', catalog('inject: { web: key }'), /no form "web"/],
    [
      'catalog without an entry',
      '  - { name: a, hosts: a.example.com, catalog: { access: read } }',
      /goes with an entry/,
    ],
    [
      'nothing for the access',
      '  - { name: a, include: catalog/openai, catalog: { access: write } }',
      /nothing for write/,
    ],
    [
      'a tenant where there is none',
      '  - { name: a, include: catalog/openai, catalog: { tenant: b } }',
      /has no tenants/,
    ],
  ];
  for (const [name, rules, pattern] of said)
    test(name, () => {
      discoveredTools([{ file: 'rules.yaml', text: `version: 1\nrules:\n${rules}` }]);
      const [first = ''] = problems(rules);
      assert.match(first, pattern);
      assert.match(first, /^rules\.yaml:3:/);
    });

  test('git without a repository is left out, and that is said', () => {
    const rule = '  - { name: a, include: catalog/tracker, catalog: { tenant: acme } }';
    assert.match(problems(rule).join('\n'), /warning: .*write git: { repository/);
    assert.equal(decided(policyOf(rule), fetch), 'deny default-deny');
  });

  test('an entry twice, and one with a name that comes along', () => {
    const again = parsePolicy(['a', 'b'].map((file) => ({ file, text: `version: 1\n${entry}` })));
    assert.match(JSON.stringify(again), /is in another file already/);
    assert.match(
      problems(catalog(''), {}, entry.replace('tracker:', 'github:')).join('\n'),
      /comes along already/,
    );
    const wrong = entry.replace('credential: api, hosts', 'credential: web, hosts');
    assert.match(problems(catalog(''), {}, wrong).join('\n'), /has no form "web" under "credentials"/);
  });
});

test('hosts of a registry are those that its tool is configured to use', () => {
  const own = `
catalog:
  packages:
    title: Packages
    version: 1
    checked: 2026-11-28
    sources: [https://registry.example/docs]
    parts: [{ name: read, access: read, discover: npm, methods: GET }]
`;
  const rule = '  - { name: ours, include: catalog/packages }';
  const sources = [rule, ''].map((rules, index) => ({
    file: String(index),
    text: index === 0 ? `version: 1\nrules:\n${rules}` : `version: 1\n${own}`,
  }));
  assert.deepEqual([...discoveredTools(sources)], ['npm']);
  const parsed = parse(rule, { discovered: new Map([['npm', ['registry.example']]]) }, own);
  assert.ok('policy' in parsed);
  assert.equal(decided(parsed.policy, 'GET https://registry.example/lodash'), 'allow ours/read');
  assert.match(problems(rule, {}, own).join('\n'), /cannot be discovered from "npm"/);
});

test('an entry that comes along is a part of the version of a policy that names it', () => {
  const text = (name: string): string => `version: 1\nrules: [{ name: a, include: catalog/${name} }]`;
  const of = (name: string): string => versionOf([{ file: 'a', text: text(name) }]);
  assert.notEqual(of('github'), of('openai'));
  const plain = versionOf([{ file: 'a', text: 'version: 1' }]);
  assert.equal(plain, versionOf([{ file: 'b', text: 'version: 1' }]));
});
