import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mismatchOf } from '../../src/policy/rule.ts';
import { access, nowMs, policyOf, principal } from './fixture.ts';

const hosts = ['a.example.com', '"*.example.com"', 'b.a.example.com'];
const paths = [
  '/a',
  '/a/*',
  '/a/:x',
  '/a/b/c',
  '/a%2Fb',
  '/ab*',
  '{/a}?',
  '/:x/b',
  '/a/b/*',
  '/a;v=1/b',
  '/*/b',
  '/:x.c/b',
  '/:x/b/:y',
  '/:x/:y.c/*',
  '/a/:x/c',
  '{/a}?/b',
  '/:x+/c',
  '/x{.c}?',
  '/*.c',
  '/:x/b%2Fc',
  '/a/:x;v=1/b',
];
/** With faults on either side, so that what leaves a rule out must not change what a fault does. */
const conditions = [
  'request.port > 0',
  'claims.team == "a"',
  '"b" == claims["team"] && request.port > 0',
  'claims.none == 1 && claims.team in ["a", "c"]',
  'claims.team == "a" || request.method == "GET"',
  '!(claims.team == "a")',
  'request.path.startsWith("/a/") && claims.team == "a"',
  'request.path.startsWith("/a")',
  'request.path == "/a/b"',
  'request.path in ["/a/b", "/x.c"] && posture.size() == 0',
  'request.host == "a.example.com" && claims.none',
  'request.method == "PUT"',
];
const rule = fc.record({
  host: fc.constantFrom(...hosts),
  path: fc.option(fc.uniqueArray(fc.constantFrom(...paths), { minLength: 1, maxLength: 3 })),
  port: fc.option(fc.constantFrom(443, 8443)),
  claim: fc.option(fc.constantFrom('team: a', 'team: [a, b]', 'team: "a*"', 'team: b', 'level: 1')),
  deny: fc.boolean(),
  when: fc.constantFrom(...conditions),
});
const asked = fc.record({
  host: fc.constantFrom('a.example.com', 'b.a.example.com', 'c.example.com'),
  port: fc.constantFrom('', ':8443', ':9000'),
  path: fc.constantFrom(
    '/a',
    '/a/',
    '/a/b',
    '/a/b/c',
    '/a%2Fb',
    '/a//b',
    '/a;v=1/b',
    '/ab',
    '/x/b',
    '/',
    '//a/b',
    '/x.c',
    '/x.c/b',
    '/x/y.c/z',
    '/x/b%2Fc',
    '/a/x;v=1/b',
    '/a%2Fb/c',
    '/x/b/.c',
  ),
  claims: fc.constantFrom({}, { team: 3 }, { team: 'a' }, { team: ['b', 'a'] }, { team: 'b', level: 1 }),
});

test('what the index selects decides as all rules of the policy would', () => {
  let decided = 0;
  fc.assert(
    fc.property(
      fc.array(rule, { minLength: 40, maxLength: 60 }),
      asked,
      (rules, { host, port, path, claims }) => {
        const text = rules.map((one, i) => {
          const keys = [`name: r${i}`, `hosts: ${one.host}`, ...(one.deny ? ['deny: true'] : [])];
          if (one.path !== null) keys.push(`paths: ${JSON.stringify(one.path)}`);
          if (one.port !== null) keys.push(`ports: ${one.port}`);
          if (one.claim !== null) keys.push(`for: { ${one.claim} }`);
          // A condition keeps rules that repeat each other from being refused as dead.
          return `  - { ${keys.join(', ')}, when: ${JSON.stringify(one.when)} }`;
        });
        const policy = policyOf(`rules:\n${text.join('\n')}`);
        const who = principal({ claims });
        const request = access(`GET https://${host}${port}${path}`);
        const matching = policy.rules.filter(
          (one) =>
            policy.candidates(host).some((list) => list.includes(one)) &&
            mismatchOf(one, who, request, nowMs) === undefined,
        );
        const expected = matching.find(({ effect }) => effect === 'deny') ?? matching[0];
        const decision = policy.decide(who, request, nowMs);
        assert.equal(decision.rule.name, expected?.reference.name ?? 'default-deny');
        if (expected !== undefined) decided += 1;
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(decided > 50, `${decided} of the requests were decided by a rule`);
});

test('the index of many rules on one host finds a path in both of its readings', () => {
  const rules = Array.from(
    { length: 30 },
    (_, i) => `  - { name: d${i}, hosts: a.example.com, paths: /r${i}/x, deny: true }`,
  );
  const policy = policyOf(`rules:\n  - { name: open, hosts: a.example.com }\n${rules.join('\n')}`);
  const nameFor = (path: string): string =>
    policy.decide(principal(), access(`GET https://a.example.com${path}`), nowMs).rule.name;
  assert.equal(nameFor('/r7/x'), 'd7');
  assert.equal(nameFor('/r7%2Fx'), 'd7');
  assert.equal(nameFor('//r7//x'), 'd7');
  assert.equal(nameFor('/r7;v=1/x'), 'd7');
  assert.equal(nameFor('/r7/y'), 'open');
});

test('a denial by default explains a few rules of a host that has thousands, and counts the others', () => {
  const rules = Array.from(
    { length: 2000 },
    (_, i) => `  - { name: r${i}, hosts: a.example.com, paths: /r${i}/*, methods: GET }`,
  );
  const policy = policyOf(`rules:\n${rules.join('\n')}`);
  const decision = policy.decide(principal(), access('POST https://a.example.com/r9/y'), nowMs);
  assert.ok(decision.effect === 'deny');
  assert.match(decision.operatorReason, /r9 \(.*; and 1995 more\.$/);
});
