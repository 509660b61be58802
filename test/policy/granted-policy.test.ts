import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AccessGrant } from '../../src/policy/access-grant.ts';
import type { Principal } from '../../src/policy/decision.ts';
import { GrantedPolicy } from '../../src/policy/granted-policy.ts';
import { observePolicy } from '../../src/policy/observe-policy.ts';
import { access, nowMs, policyOf, principal } from './fixture.ts';

const base = policyOf(`
rules:
  - { name: docs, hosts: docs.example.com }
  - { name: no-admin, hosts: api.example.com, deny: never, paths: [/admin, /admin/*] }
  - { name: no-tracker, hosts: tracker.example.com, deny: true }
  - { name: mail, hosts: mail.example.com, tls: passthrough }
`);
const grant: AccessGrant = {
  id: 'g1',
  subject: { sessionId: 'session' },
  scheme: 'https',
  host: 'api.example.com',
  port: 443,
  method: 'GET',
  path: { path: '/repos/a', below: false },
  endsMs: nowMs + 1000,
};
const ownLimits = { bodyBytes: 10 } as const;
const allowedBy = 'allow access-grant:g1';

function judge(
  changes: Partial<AccessGrant>,
  text: string,
  { who = principal(), at = nowMs }: { readonly who?: Principal; readonly at?: number } = {},
): string {
  const { effect, rule } = new GrantedPolicy(base, [{ ...grant, ...changes }], ownLimits).decide(
    who,
    access(text),
    at,
  );
  return `${effect} ${rule.name}`;
}

const below = { path: { path: '/repos/a', below: true } };

const table: readonly [changes: Partial<AccessGrant>, text: string, expected: string][] = [
  [{}, 'GET https://api.example.com/repos/a', allowedBy],
  [{}, 'https://api.example.com', allowedBy],
  [{}, 'POST https://api.example.com/repos/a', 'deny default-deny'],
  [{}, 'GET https://api.example.com/repos/a/', 'deny default-deny'],
  [{}, 'GET https://api.example.com/repos/ab', 'deny default-deny'],
  [{}, 'GET http://api.example.com/repos/a', 'deny default-deny'],
  [{}, 'GET https://api.example.com:8443/repos/a', 'deny default-deny'],
  [{}, 'GET https://other.example.com/repos/a', 'deny default-deny'],
  [{}, 'api.example.com:443', 'deny default-deny'],
  [below, 'GET https://api.example.com/repos/a', allowedBy],
  [below, 'GET https://api.example.com/repos/a/b/c', allowedBy],
  [below, 'GET https://api.example.com/repos/ab', 'deny default-deny'],
  // In the reading that leaves `;x` out this one is /repos/a as well; in the other it is not below it.
  [below, 'GET https://api.example.com/repos/a;x/b', 'deny default-deny'],
  [below, 'GET https://api.example.com/repos/a/b%2Fc', allowedBy],
  [{ path: { path: '/', below: true } }, 'GET https://api.example.com/x/y', allowedBy],
  [{ path: { path: '/admin', below: true } }, 'GET https://api.example.com/admin/x', 'deny no-admin'],
  [{ path: { path: '/', below: true } }, 'GET https://api.example.com/admin', 'deny no-admin'],
  [{ host: 'tracker.example.com' }, 'GET https://tracker.example.com/repos/a', 'deny no-tracker'],
  [{ host: 'tracker.example.com' }, 'https://tracker.example.com', 'deny no-tracker'],
  [{ host: 'docs.example.com' }, 'GET https://docs.example.com/repos/a', 'allow docs'],
  [{ host: 'mail.example.com' }, 'https://mail.example.com', 'allow mail'],
];

test('a grant opens exactly what it says, and nothing that a rule denies', () => {
  for (const [changes, text, expected] of table)
    assert.equal(judge(changes, text), expected, `${JSON.stringify(changes)} ${text}`);
  const wide: Partial<AccessGrant> = { path: { path: '/', below: true } };
  const { method: _method, path: _path, ...host } = { ...grant, ...wide };
  const policy = new GrantedPolicy(base, [host], ownLimits);
  for (const text of ['DELETE https://api.example.com/x', 'GET https://api.example.com/'])
    assert.equal(policy.decide(principal(), access(text), nowMs).rule.name, 'access-grant:g1');
});

test('a grant ends by the clock', () => {
  const text = 'GET https://api.example.com/repos/a';
  assert.equal(judge({}, text, { at: nowMs + 999 }), allowedBy);
  assert.equal(judge({}, text, { at: nowMs + 1000 }), 'deny default-deny');
});

test('a grant is for its session, or for every session of its principal', () => {
  const text = 'GET https://api.example.com/repos/a';
  const other = principal({ sessionId: 'other' });
  assert.equal(judge({}, text, { who: other }), 'deny default-deny');
  const subject = { principalId: 'issuer|subject' };
  assert.equal(judge({ subject }, text, { who: other }), allowedBy);
  assert.equal(judge({ subject }, text, { who: principal({ id: 'issuer|else' }) }), 'deny default-deny');
});

test('a grant gives no credential and opens no private network', () => {
  const decision = new GrantedPolicy(base, [grant], ownLimits).decide(
    principal(),
    access('GET https://api.example.com/repos/a'),
    nowMs,
  );
  assert.deepEqual(decision, {
    effect: 'allow',
    rule: { name: 'access-grant:g1' },
    handling: 'intercept',
    inject: [],
    addresses: [],
    limits: {},
  });
});

test('the host of the gateway is the gateway, whatever the rules say', () => {
  for (const under of [base, observePolicy()]) {
    const policy = new GrantedPolicy(under, [], ownLimits);
    const verdict = (text: string): string => {
      const { effect, rule } = policy.decide(principal(), access(text), nowMs);
      return `${effect} ${rule.name}`;
    };
    assert.equal(verdict('POST http://upstreamproxy.invalid/access'), 'allow access-requests');
    assert.equal(verdict('https://upstreamproxy.invalid'), 'allow access-requests');
    const asked = policy.decide(principal(), access('POST http://upstreamproxy.invalid/access'), nowMs);
    assert.deepEqual(asked.effect === 'allow' && asked.limits, ownLimits);
    assert.equal(verdict('upstreamproxy.invalid:443'), 'deny access-requests');
    assert.equal(verdict('GET https://upstreamproxy.invalid:8443/'), 'deny access-requests');
  }
});

test('a grant changes nothing about what the policy allows or a rule denies, whatever is asked', () => {
  const policy = new GrantedPolicy(base, [{ ...grant, path: { path: '/', below: true } }], ownLimits);
  const hosts = ['docs', 'api', 'tracker', 'mail', 'other'].map((name) => `${name}.example.com`);
  fc.assert(
    fc.property(
      fc.constantFrom(...hosts),
      fc.constantFrom('GET ', 'POST ', ''),
      fc.constantFrom('http', 'https'),
      fc.constantFrom('/', '/admin', '/admin/x', '/repos/a', '/admin;x', '//admin'),
      (host, method, scheme, path) => {
        const asked = access(`${method}${scheme}://${host}${method === '' ? '' : path}`);
        const plain = base.decide(principal(), asked, nowMs);
        const granted = policy.decide(principal(), asked, nowMs);
        if (plain.effect === 'allow' || plain.rule.name !== 'default-deny') assert.deepEqual(granted, plain);
        else if (granted.effect === 'allow') assert.equal(host, 'api.example.com');
      },
    ),
  );
});
