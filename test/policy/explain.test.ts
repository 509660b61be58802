import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain } from '../../src/policy/explain.ts';
import { access, nowMs, policyOf, principal } from './fixture.ts';

const policy = policyOf(`
rules:
  - { name: read, hosts: "*.example.com", methods: GET, inject: token, limits: { requestsPerSecond: 5 } }
  - { name: write, hosts: [api.example.com, "*.api.example.com"], methods: [GET, POST] }
  - { name: no-admin, hosts: api.example.com, paths: /admin/*, deny: true }
  - { name: trial, hosts: api.example.com, methods: POST, deny: true, mode: observe }
`);
const outcomes = (text: string): readonly string[] =>
  explain(policy, { principal: principal(), access: access(text), nowMs }).steps.map(
    ({ rule, outcome }) => `${rule}: ${outcome}`,
  );

test('every rule for the host is told once, in order, with what became of it', () => {
  assert.deepEqual(outcomes('GET https://api.example.com/x'), [
    'read: decides',
    'write: matches',
    'no-admin: does not match',
    'trial: does not match',
  ]);
  assert.deepEqual(outcomes('POST https://api.example.com/x'), [
    'read: does not match',
    'write: decides',
    'no-admin: does not match',
    'trial: observes',
  ]);
  assert.deepEqual(outcomes('GET https://api.example.com/admin/x'), [
    'read: matches',
    'write: matches',
    'no-admin: decides',
    'trial: does not match',
  ]);
  assert.deepEqual(outcomes('https://api.example.com'), [
    'read: decides',
    'write: matches',
    'no-admin: judges requests only',
    'trial: observes',
  ]);
  assert.deepEqual(outcomes('GET https://a.test/'), []);
});

test('by which condition a rule does not match is told as data, with what it would have', () => {
  const at = policyOf(`
rules:
  - { name: port, hosts: a.test, ports: 8443 }
  - { name: time, hosts: a.test, expires: 2020-01-01T00:00:00Z }
  - { name: team, hosts: a.test, for: { team: red } }
  - { name: method, hosts: a.test, methods: [GET, HEAD] }
  - { name: path, hosts: a.test, methods: POST, paths: /x/* }
  - { name: push, hosts: a.test, git: { repository: acme/app, operations: push, refs: refs/heads/main } }
  - { name: condition, hosts: a.test, methods: POST, when: 'claims.team == "red"' }
  - { name: facts, hosts: a.test, methods: POST, require: [jailed] }
  - { name: no, hosts: a.test, paths: /y, methods: POST, deny: true }
`);
  const { steps } = explain(at, { principal: principal(), access: access('POST https://a.test/y'), nowMs });
  assert.deepEqual(
    steps.map(({ rule, looksAt, stopsAt }) => [
      rule,
      looksAt.slice(2).join(),
      stopsAt?.condition,
      stopsAt?.wanted,
    ]),
    [
      ['port', '', 'ports', '8443'],
      ['time', 'time', 'time', 'before 2020-01-01T00:00:00.000Z'],
      ['team', 'for', 'for', '{"team":"red"}'],
      ['method', 'methods', 'methods', 'GET, HEAD'],
      ['path', 'methods,paths', 'paths', '/x/*'],
      ['push', 'git', 'git', 'push; repository acme/app; refs refs/heads/main; changes create, update'],
      ['condition', 'methods,when', 'when', 'claims.team == "red"'],
      ['facts', 'methods,require', 'require', 'jailed'],
      ['no', 'methods,paths', undefined, undefined],
    ],
  );
});

test('the text has the decision, its rule and place, and what would be injected', () => {
  const { text, decision } = explain(policy, {
    principal: principal(),
    access: access('GET https://api.example.com/x'),
    nowMs,
  });
  assert.equal(decision.effect, 'allow');
  assert.equal(
    text,
    `ALLOW GET https://api.example.com/x
  decided by: read (policy.yaml:3)
  would inject: token
  limits: requestsPerSecond 5
  rules for this host, in order:
    decides: read (policy.yaml:3) allows it
    matches: write (policy.yaml:4) matches too, but an earlier rule decides
    does not match: no-admin (policy.yaml:5) is for the paths /admin/*
    does not match: trial (policy.yaml:6) is for POST, not GET
`,
  );
});

test('a denial has both reasons', () => {
  const { text } = explain(policy, { principal: principal(), access: access('GET https://a.test/'), nowMs });
  assert.match(
    text,
    /^DENY GET https:\/\/a\.test\/\n {2}decided by: default-deny\n {2}workload is told: No rule allows/,
  );
  assert.match(text, /no rule has this host\n$/);
});
