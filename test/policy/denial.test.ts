import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DenyDecision } from '../../src/policy/decision.ts';
import { describeAccess } from '../../src/policy/denial.ts';
import { access, nowMs, policyOf, principal } from './fixture.ts';

const policy = policyOf(`
rules:
  - { name: read, hosts: api.example.com, methods: [GET, HEAD], paths: /v1/*, inject: canary-credential }
  - { name: jailed, hosts: vault.example.com, require: [jailed, nondumpable] }
  - { name: blind, hosts: pinned.example.com, tls: passthrough }
  - { name: no-publish, hosts: registry.example.com, methods: PUT, deny: { reason: Ask release@example.com., operator: Ticket 12. } }
  - { name: no-delete, hosts: registry.example.com, methods: DELETE, deny: true }
`);

function denial(text: string): DenyDecision {
  const decision = policy.decide(principal(), access(text), nowMs);
  assert.ok(decision.effect === 'deny');
  return decision;
}

test('the workload is told what was refused and what to ask for, the operator which rules came close', () => {
  const { reason, operatorReason, rule } = denial('POST https://api.example.com/v1/x');
  assert.deepEqual(rule, { name: 'default-deny' });
  assert.equal(
    reason,
    'No rule allows POST https://api.example.com/v1/x. Ask the owner of the policy for a rule with hosts: api.example.com, ports: 443, methods: POST and paths that match this path.',
  );
  assert.equal(
    operatorReason,
    'No rule matches POST https://api.example.com/v1/x: read (policy.yaml:3) is for GET, HEAD, not POST.',
  );
});

test('the content of rules is not told to the workload', () => {
  for (const text of [
    'POST https://api.example.com/v1/x',
    'GET https://api.example.com/v2',
    'GET https://other.example.com/',
  ]) {
    assert.doesNotMatch(denial(text).reason, /read|canary-credential|\/v1\/\*|HEAD/);
  }
});

describe('further denials', () => {
  const rows: readonly [string, RegExp, RegExp][] = [
    ['GET https://none.example.com/', /No rule allows GET/, /No rule has the host none\.example\.com/],
    [
      'GET https://vault.example.com/',
      /required facts: jailed, nondumpable/,
      /jailed \(policy.yaml:4\) requires facts/,
    ],
    ['GET https://pinned.example.com/', /use CONNECT/, /passes connections through/],
    ['PUT https://registry.example.com/x', /^Ask release@example\.com\.$/, /^Ticket 12\.$/],
    [
      'DELETE https://registry.example.com/x',
      /^The rule no-delete refuses DELETE/,
      /no-delete \(policy.yaml:7\) denies/,
    ],
    [
      'GET https://api.example.com/v1%2Fx',
      /No rule allows/,
      /in every reading, and the path has an encoded slash/,
    ],
    ['db.example.com:5432', /hosts: db\.example\.com, scheme: tcp, ports: 5432/, /No rule has the host/],
    ['http://api.example.com', /scheme: http, ports: 80/, /is for https, not http/],
    ['https://api.example.com:8443', /ports: 8443/, /is for port 443, not 8443/],
  ];
  for (const [text, reason, operatorReason] of rows) {
    test(text, () => {
      const decision = denial(text);
      assert.match(decision.reason, reason);
      assert.match(decision.operatorReason, operatorReason);
    });
  }
});

test('rules for other sessions are counted and not named: who sees this session alone reads it', () => {
  const two = policyOf([
    'for: { team: red }\nrules: [{ name: of-red, hosts: api.example.com, methods: GET }]',
    'for: { team: blue }\nrules: [{ name: of-blue, hosts: api.example.com }, { name: blue-port, hosts: api.example.com, ports: 8443 }]',
  ]);
  const told = (team: string, text: string): string => {
    const decision = two.decide(principal({ claims: { team } }), access(text), nowMs);
    assert.ok(decision.effect === 'deny');
    return decision.operatorReason;
  };
  assert.equal(
    told('red', 'POST https://api.example.com/'),
    'No rule matches POST https://api.example.com/: of-red (policy-0.yaml:2) is for GET, not POST; and 2 more.',
  );
  assert.equal(
    told('green', 'GET https://api.example.com/'),
    'No rule matches GET https://api.example.com/: 3 rules have its host, and none that came close is for this session.',
  );
  assert.match(told('blue', 'GET https://api.example.com:9000/'), /of-blue .*; blue-port .*; and 1 more/);
});

test('an access is shown as a URL without its query, and long paths are cut', () => {
  assert.equal(
    describeAccess(access('GET https://[2001:db8::1]:8443/x')),
    'GET https://[2001:db8::1]:8443/x',
  );
  assert.equal(describeAccess(access('db.example.com:443')), 'db.example.com:443');
  const long = describeAccess(access(`GET https://a.example.com/${'x'.repeat(5000)}`));
  assert.ok(long.length < 300 && long.endsWith('…'));
});
