import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundPolicies } from '../../src/policy/bound-policies.ts';
import type { Decision, Principal } from '../../src/policy/decision.ts';
import { GrantedPolicy } from '../../src/policy/granted-policy.ts';
import { NarrowedPolicy } from '../../src/policy/narrowed-policy.ts';
import { access, nowMs, policyOf, principal } from './fixture.ts';

const credentials = { credentials: ['npm', 'other'] };
const ceiling = policyOf(
  `
rules:
  - { name: code, hosts: [git.example.com, api.example.com, '*.web.example.com'] }
  - { name: registry, hosts: npm.example.com, methods: [GET, HEAD], inject: npm }
  - { name: never, hosts: api.example.com, paths: /admin, deny: not for anybody }
  - { name: inner, hosts: inner.example.com, addresses: [10.1.0.0/16, 10.2.0.0/16], limits: { bodyBytes: 100 } }
  - { name: bodies, hosts: bodies.example.com, bodies: where-defined }
  - { name: blind, hosts: mail.example.com, tls: passthrough }
`,
  credentials,
);
const main = policyOf('rules: [{ name: read, hosts: api.example.com, methods: GET }]');
const web = policyOf(
  `
rules:
  - { name: all, hosts: '*.example.com', methods: [GET, POST, HEAD] }
  - { name: npm, hosts: [npm.example.com, git.example.com], inject: npm, paths: /with/* }
  - { name: inner, hosts: inner.example.com, addresses: [10.1.5.0/24, 10.9.0.0/16], limits: { bodyBytes: 500 } }
`,
  credentials,
);
const teams = new BoundPolicies('v', [
  { name: 'ceiling', policy: ceiling },
  { name: 'main', policy: main },
  { name: 'web', binding: { team: 'web' }, policy: web },
  { name: 'release', binding: { role: 'rel*' }, policy: policyOf('rules: []') },
]);

const ofWeb = principal({ claims: { team: 'web' } });
const decide = (text: string, who: Principal = principal(), policies = teams): Decision =>
  policies.decide(who, access(text), nowMs);
const said = ({ effect, rule }: Decision): string => `${effect} ${rule.policy ?? '-'} ${rule.name}`;

test('a session is judged by the policy that its claims bind it to, and else by main; the ceiling must allow too', () => {
  const table: readonly [text: string, who: Principal, expected: string][] = [
    ['GET https://api.example.com/', principal(), 'allow main read'],
    ['POST https://api.example.com/', principal(), 'deny main default-deny'],
    ['GET https://other.example.com/', principal(), 'deny ceiling ceiling-deny'],
    ['POST https://api.example.com/', ofWeb, 'allow web all'],
    ['POST https://api.example.com/admin', ofWeb, 'deny ceiling never'],
    ['GET https://other.example.com/', ofWeb, 'deny ceiling ceiling-deny'],
    ['GET https://a.web.example.com/', ofWeb, 'allow web all'],
    ['GET https://a.web.example.com/', principal(), 'deny main default-deny'],
    ['GET https://api.example.com/', principal({ claims: { role: 'release' } }), 'deny release default-deny'],
    [
      'GET https://api.example.com/',
      principal({ claims: { team: 'web', role: 'rel' } }),
      'deny - two-policies',
    ],
    ['api.example.com:443', principal(), 'deny ceiling ceiling-deny'],
    ['https://api.example.com', principal(), 'allow main read'],
  ];
  for (const [text, who, expected] of table) assert.equal(said(decide(text, who)), expected, text);
});

test('without main a session of nobody has no policy, and without a ceiling one policy decides alone', () => {
  const alone = new BoundPolicies('v', [{ name: 'web', binding: { team: 'web' }, policy: web }]);
  const nobody = decide('GET https://api.example.com/', principal(), alone);
  assert.equal(said(nobody), 'deny - no-policy');
  assert.match(nobody.effect === 'deny' ? nobody.operatorReason : '', /none is bound to this session/);
  assert.equal(said(decide('GET https://other.example.com/', ofWeb, alone)), 'allow web all');
  assert.deepEqual(alone.policiesFor(principal()), []);
  const both = principal({ claims: { team: 'web', role: 'rel' } });
  const two = decide('GET https://api.example.com/', both);
  assert.match(two.effect === 'deny' ? two.operatorReason : '', /web and release are all bound/);
  assert.deepEqual(
    teams.policiesFor(ofWeb).map(({ name }) => name),
    ['ceiling', 'web'],
  );
});

test('a credential that the ceiling does not give there is not given, and the denial names the ceiling', () => {
  const given = decide('GET https://npm.example.com/with/a', ofWeb);
  // The first rule decides, and it gives none.
  assert.equal(said(given), 'allow web all');
  const narrow = new BoundPolicies('v', [
    { name: 'ceiling', policy: ceiling },
    {
      name: 'main',
      policy: policyOf(
        'rules: [{ name: npm, hosts: [npm.example.com, git.example.com], inject: npm }]',
        credentials,
      ),
    },
  ]);
  const allowed = decide('GET https://npm.example.com/a', principal(), narrow);
  assert.deepEqual(allowed.effect === 'allow' ? allowed.inject : [], [{ credential: 'npm' }]);
  const denied = decide('GET https://git.example.com/a', principal(), narrow);
  assert.equal(said(denied), 'deny ceiling code');
  assert.match(
    denied.effect === 'deny' ? denied.operatorReason : '',
    /credential npm .* ceiling does not give/,
  );
});

test('what both open is what is open: networks, bodies, fields, sizes', () => {
  const inner = new BoundPolicies('v', [
    { name: 'ceiling', policy: ceiling },
    {
      name: 'main',
      policy: policyOf(`
rules:
  - { name: inner, hosts: inner.example.com, addresses: [10.1.5.0/24, 10.2.0.0/15, 10.9.0.0/16], limits: { bodyBytes: 500, requestsPerSession: 5 } }
  - { name: bodies, hosts: bodies.example.com, bodies: any }
`),
    },
  ]);
  const one = decide('POST https://inner.example.com/', principal(), inner);
  assert.ok(one.effect === 'allow');
  assert.deepEqual(one.addresses.toSorted(), ['10.1.5.0/24', '10.2.0.0/16']);
  assert.deepEqual(one.limits, { bodyBytes: 100, requestsPerSession: 5 });
  const other = decide('POST https://bodies.example.com/', principal(), inner);
  assert.ok(other.effect === 'allow');
  assert.equal(other.bodies, 'where-defined');
});

test('bytes that are handled in two ways are handled in none', () => {
  const mail = new BoundPolicies('v', [
    { name: 'ceiling', policy: ceiling },
    { name: 'main', policy: policyOf('rules: [{ name: mail, hosts: mail.example.com }]') },
  ]);
  assert.equal(said(decide('https://mail.example.com', principal(), mail)), 'deny ceiling blind');
  const blind = new BoundPolicies('v', [
    { name: 'ceiling', policy: ceiling },
    {
      name: 'main',
      policy: policyOf(
        'rules: [{ name: mail, hosts: [mail.example.com, api.example.com], tls: passthrough }]',
      ),
    },
  ]);
  assert.equal(said(decide('https://mail.example.com', principal(), blind)), 'allow main mail');
  // The ceiling has a rule about requests to it, so that it is never passed blindly.
  assert.equal(said(decide('https://api.example.com', principal(), blind)), 'deny ceiling code');
});

test('a ceiling on trial denies nothing, and what it would have denied is recorded', () => {
  const trial = new BoundPolicies('v', [
    { name: 'ceiling', policy: policyOf('mode: observe\nrules: []') },
    {
      name: 'main',
      policy: policyOf('rules: [{ name: npm, hosts: npm.example.com, inject: npm }]', credentials),
    },
  ]);
  const decision = decide('GET https://npm.example.com/', principal(), trial);
  assert.equal(said(decision), 'allow main npm');
  assert.equal(decision.effect === 'allow' ? decision.observed : '', 'default-deny');
  assert.deepEqual(decision.effect === 'allow' ? decision.inject : [], [{ credential: 'npm' }]);
});

test('a grant opens what main does not allow, never what the ceiling does not, and no more of it than the ceiling does', () => {
  const grant = (host: string) => ({
    id: `g-${host}`,
    subject: { sessionId: 'session' },
    scheme: 'https' as const,
    host,
    port: 443,
    endsMs: nowMs + 1000,
  });
  const granted = new GrantedPolicy(
    teams,
    ['api', 'other', 'bodies', 'inner'].map((name) => grant(`${name}.example.com`)),
    {},
  );
  const of = (text: string, who = principal()): Decision => granted.decide(who, access(text), nowMs);
  assert.equal(said(of('POST https://api.example.com/')), 'allow - access-grant:g-api.example.com');
  assert.equal(said(of('POST https://api.example.com/admin')), 'deny ceiling never');
  assert.equal(said(of('GET https://other.example.com/')), 'deny ceiling ceiling-deny');
  const bodies = of('GET https://bodies.example.com/');
  assert.ok(bodies.effect === 'allow');
  assert.equal(bodies.bodies, 'where-defined');
  const inner = of('GET https://inner.example.com/');
  assert.ok(inner.effect === 'allow');
  assert.deepEqual([inner.addresses, inner.limits], [[], { bodyBytes: 100 }]);
  // Of a session without a policy, or with two, nothing is opened.
  const both = principal({ claims: { team: 'web', role: 'rel' } });
  assert.equal(said(of('POST https://api.example.com/', both)), 'deny - two-policies');
});

test('whether tokens are revoked is said by any of the policies', () => {
  const rule = '{ name: a, hosts: as.example.com, paths: /token, logIn: { name: a, issuer: true } }';
  const kept = policyOf(`rules: [${rule}]`);
  const revoked = policyOf(`rules: [${rule.replace('true', 'true, revoke: /revoke')}]`);
  for (const [policies, expected] of [
    [[], false],
    [[kept, main], false],
    [[kept, revoked], true],
    [[revoked, main], true],
  ] as const) {
    const named = policies.map((policy, at) => ({ name: `p${String(at)}`, policy }));
    const bound = new BoundPolicies('v', named);
    assert.equal(bound.revokesTokens, expected);
    for (const above of [new GrantedPolicy(bound, [], {}), new NarrowedPolicy(bound)])
      assert.equal(above.revokesTokens, expected);
  }
});

test('a policy changes with the time if any of its parts does, and its ports are those of the session', () => {
  const timed = policyOf(
    'rules: [{ name: soon, hosts: api.example.com, ports: 8443, expires: 2030-01-01T00:00:10Z }]',
  );
  const policies = new BoundPolicies('v', [
    { name: 'ceiling', policy: timed },
    { name: 'main', policy: policyOf('rules: [{ name: a, hosts: api.example.com, ports: [443, 9443] }]') },
    { name: 'web', binding: { team: 'web' }, policy: timed },
  ]);
  assert.equal(policies.changesBetween(nowMs, nowMs + 5000), false);
  assert.equal(policies.changesBetween(nowMs, nowMs + 15_000), true);
  assert.deepEqual(policies.capturePorts(principal()), [9443]);
  assert.deepEqual(policies.capturePorts(ofWeb), [8443]);
});
