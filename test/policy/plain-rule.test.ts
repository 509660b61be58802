import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompiledPolicy } from '../../src/policy/compiled-policy.ts';
import { conditionCompiler } from '../../src/policy/condition.ts';
import { fromPlain, toPlain, weightOf } from '../../src/policy/plain-rule.ts';
import { access, nowMs, policyOf, principal } from './fixture.ts';

const text = `
groups: { mirrors: { hosts: [m1.example.com, "*.m2.example.com"] } }
for: { repository: acme/* }
require: jailed
rules:
  - { name: read, hosts: [api.example.com], include: mirrors, methods: [GET], paths: [/a/*, /b/:id], ports: [443, 8443] }
  - { name: push, hosts: git.example.com, git: { repository: acme/app, operations: [fetch, push], refs: refs/heads/agent/** } }
  - { name: when, hosts: w.example.com, when: 'request.headers["x-a"].exists(v, v == "1")', limits: { bodyBytes: 1 MiB } }
  - { name: no, hosts: "*", deny: { reason: no, operator: why }, paths: /secret/*, mode: observe }
  - { name: ssh, hosts: git.example.com, scheme: tcp, ports: 22, expires: 2031-01-01T00:00:00Z }
  - { name: own, hosts: o.example.com, addresses: 10.1.0.0/16, inject: token, trust: corp }
`;

test('a rule that was cloned as plain data is the same rule', () => {
  const { rules } = policyOf(text);
  const compile = conditionCompiler();
  for (const rule of rules) {
    const plain = structuredClone(toPlain(rule));
    const again = fromPlain(plain, compile);
    assert.deepEqual(toPlain(again), toPlain(rule));
    assert.ok(weightOf(plain) >= 1);
  }
});

test('a policy of cloned rules decides as the one that was read', () => {
  const policy = policyOf(text);
  const compile = conditionCompiler();
  const rules = policy.rules.map((rule) => fromPlain(structuredClone(toPlain(rule)), compile));
  const again = new CompiledPolicy({ version: policy.version, rules, files: policy.files });
  const who = principal({ claims: { repository: 'acme/app' }, posture: ['jailed'] });
  const asked = [
    'GET https://api.example.com/a/b',
    'GET https://x.m2.example.com:8443/b/1',
    'PUT https://api.example.com/a/b',
    'GET https://w.example.com/',
    'GET https://git.example.com/acme/app.git/info/refs?service=git-upload-pack',
    'GET https://git.example.com/acme/app/info/refs',
    'GET https://o.example.com/secret/x',
    'GET https://o.example.com/x',
    'git.example.com:22',
    'https://api.example.com',
  ];
  const effects = new Set<string>();
  for (const one of asked) {
    const decision = again.decide(who, access(one), nowMs);
    assert.deepEqual(decision, policy.decide(who, access(one), nowMs), one);
    effects.add(decision.effect);
  }
  assert.deepEqual([...effects].toSorted(), ['allow', 'deny']);
});
