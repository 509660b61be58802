// Rules about packages: which requests they let through, what they refuse, and what is said of it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isRootOf } from '../../src/policy/known-package.ts';
import { HeaderList } from '../../src/http/header-list.ts';
import { explain } from '../../src/policy/explain.ts';
import { diffPolicies } from '../../src/policy/diff-policy.ts';
import { access, nowMs, policyOf, principal, problemsOf, verdict } from './fixture.ts';

const npm = (keys: string): string =>
  `rules: [{ name: npm, hosts: registry.example.com, packages: { registry: npm, ${keys} } }]`;
const at = (path: string, method = 'GET'): string => `${method} https://registry.example.com${path}`;

describe('what a rule lets through', () => {
  const policy = policyOf(
    npm(
      'allow: [lodash, "@acme/*", "react@>=18.0.0 <19.0.0 || =17.0.2"], deny: ["lodash@<4.17.21", "@acme/secret"]',
    ),
  );
  for (const [asked, expected] of [
    [at('/lodash'), 'allow npm'],
    [at('/lodash', 'HEAD'), 'allow npm'],
    [at('/lodash/-/lodash-4.17.21.tgz'), 'allow npm'],
    [at('/lodash/-/lodash-4.17.20.tgz'), 'deny default-deny'],
    [at('/lodash/4.17.20'), 'deny default-deny'],
    [at('/lodash/latest'), 'deny default-deny'],
    [at('/left-pad'), 'deny default-deny'],
    [at('/@acme%2fapp'), 'allow npm'],
    [at('/@acme/secret'), 'deny default-deny'],
    [at('/@Acme/app'), 'deny default-deny'],
    [at('/react/-/react-18.3.1.tgz'), 'allow npm'],
    [at('/react/-/react-17.0.2.tgz'), 'allow npm'],
    [at('/react/-/react-19.0.0.tgz'), 'deny default-deny'],
    [at('/react/-/react-19.0.0-rc.1.tgz'), 'allow npm'],
    [at('/-/ping'), 'allow npm'],
    [at('/-/v1/search'), 'deny default-deny'],
    [at('/-/npm/v1/security/advisories/bulk', 'POST'), 'deny default-deny'],
    [at('/lodash', 'PUT'), 'deny default-deny'],
    [at('//lodash'), 'deny default-deny'],
  ] as const)
    test(`${asked}: ${expected}`, () => assert.equal(verdict(policy, asked), expected));
});

describe('what a rule refuses', () => {
  const policy = policyOf(
    'rules: [{ name: no, hosts: registry.example.com, deny: true, packages: { registry: npm, deny: [left-pad, "lodash@<4.17.21"] } }, { name: all, hosts: registry.example.com }]',
  );
  for (const [asked, expected] of [
    [at('/left-pad'), 'deny no'],
    [at('/LEFT-PAD'), 'deny no'],
    [at('/left-pad', 'PUT'), 'deny no'],
    [at('/lodash'), 'allow all'],
    [at('/lodash/-/lodash-4.17.20.tgz'), 'deny no'],
    [at('/lodash/-/lodash-4.17.21.tgz'), 'allow all'],
    [at('/lodash/latest'), 'deny no'],
    [at('/react'), 'allow all'],
    [at('/-/v1/search'), 'allow all'],
    [at('//react'), 'deny no'],
    [at('/lodash%2f-%2flodash-4.17.20.tgz'), 'deny no'],
  ] as const)
    test(`${asked}: ${expected}`, () => assert.equal(verdict(policy, asked), expected));
});

test('no field makes another request of it, and no WebSocket is a package', () => {
  const policy = policyOf(npm('allow: lodash'));
  const asked = access(at('/lodash'));
  assert.ok(asked.depth === 'request');
  const rewritten = { ...asked, headers: new HeaderList([['x-original-url', '/left-pad']]) };
  assert.equal(policy.decide(principal(), rewritten, nowMs).effect, 'deny');
  const upgrade = { ...asked, body: { kind: 'unreadable', reason: 'is that of a WebSocket' } } as const;
  assert.equal(policy.decide(principal(), upgrade, nowMs).effect, 'deny');
});

test('a long list of what is denied hides nothing else', () => {
  const list = Array.from({ length: 1000 }, (_, i) => `a-package-with-a-long-name-${String(i)}@<2.0.0`);
  const policy = policyOf(npm(`deny: [${list.map((one) => JSON.stringify(one)).join()}]`));
  const asked = access(at('/lodash'));
  assert.ok(asked.depth === 'request');
  const probe = { ...asked, package: { source: '', version: '1.0.0', timeOf: () => undefined } };
  assert.equal(policy.decide(principal(), probe, nowMs).effect, 'allow');
});

test('a registry below a path is read from there, and nothing else of its host', () => {
  const policy = policyOf(npm('index: "https://registry.example.com/api/npm/", allow: lodash'));
  assert.equal(verdict(policy, at('/api/npm/lodash')), 'allow npm');
  assert.equal(verdict(policy, at('/api/npm/lodash/-/lodash-1.0.0.tgz')), 'allow npm');
  assert.equal(verdict(policy, at('/lodash')), 'deny default-deny');
  assert.equal(verdict(policy, at('/api/npm2/lodash')), 'deny default-deny');
});

test('names are those of the registry', () => {
  const pypi = policyOf(
    'rules: [{ name: py, hosts: [pypi.example.com, files.example.com], packages: { registry: pypi, allow: Zope_Interface@>=5 } }]',
  );
  assert.equal(verdict(pypi, 'GET https://pypi.example.com/simple/zope.interface/'), 'allow py');
  assert.equal(
    verdict(pypi, 'GET https://files.example.com/packages/a/b/zope.interface-6.0.tar.gz'),
    'allow py',
  );
  assert.equal(
    verdict(pypi, 'GET https://files.example.com/packages/a/b/zope.interface-4.9.tar.gz'),
    'deny default-deny',
  );
  assert.equal(
    verdict(pypi, 'GET https://files.example.com/packages/a/b/other-6.0.tar.gz'),
    'deny default-deny',
  );
});

test('a denial says which package, and why', () => {
  const policy = policyOf(npm('allow: lodash@>=4.17.21'));
  const decision = policy.decide(principal(), access(at('/lodash/-/lodash-4.17.20.tgz')), nowMs);
  assert.ok(decision.effect === 'deny');
  assert.match(
    decision.reason,
    /The rule npm does not: lodash@4\.17\.20 is not in its allow \(lodash@>=4\.17\.21\)\./,
  );
  assert.deepEqual(decision.package, {
    registry: 'npm',
    root: undefined,
    name: 'lodash',
    version: '4.17.20',
    promisedAs: '4.17.20',
    isArchive: true,
  });
  const { steps } = explain(policy, { principal: principal(), access: access(at('/x')), nowMs });
  assert.deepEqual(steps[0]?.stopsAt, {
    condition: 'packages',
    wanted: 'registry npm; allow lodash@>=4.17.21',
  });
});

test('what is wrong with the key is said where it stands', () => {
  const wrong = (keys: string): readonly string[] =>
    problemsOf(`rules:\n  - { name: r, hosts: a.example.com, ${keys} }`);
  assert.deepEqual(wrong('packages: { registry: nuget }'), [
    'p:2:60: error: "rules[0].packages.registry" is "nuget"; write how the registry speaks: npm, pypi, cargo, go, maven, rubygems, oci',
  ]);
  for (const [keys, message] of [
    [
      'packages: { registry: npm, allow: "a@1" }',
      '"1" is not a whole version; write three numbers, such as 1.2.0, and a range as >=1.2.0 <2.0.0',
    ],
    [
      'packages: { registry: go, allow: "a@>=1.2.0" }',
      '"1.2.0" is not a whole version; write three numbers, such as v1.2.0, and a range as >=v1.2.0 <v2.0.0',
    ],
    [
      'packages: { registry: pypi, allow: "a@~=1" }',
      '"~" is not a version of pypi; write =, <, <=, > or >= before one',
    ],
    [
      'packages: { registry: oci, allow: "a@1" }',
      'a tag names another image tomorrow; write the name alone, such as a',
    ],
    [
      'packages: { registry: npm, allow: "a@" }',
      'a range is empty; write a version such as 1.2.3, or leave the @ out',
    ],
    [
      'packages: { registry: maven }',
      'a repository of Maven has a path before its groups; write where it begins, such as index: https://repo.example.com/maven2/',
    ],
    [
      'packages: { registry: npm, index: "https://a.example.com/%2e/" }',
      'it is no root of a registry; write https://HOST/PATH/, of letters, digits and ._~-',
    ],
    ['packages: { registry: npm, minAge: 3 days }', 'it is no age; write one such as 3d, 36h or 1w'],
    [
      'deny: true, packages: { registry: npm, deny: a, integrity: asked }',
      '"integrity" has no meaning in a rule that denies; remove it',
    ],
    [
      'packages: { registry: npm, exceptions: [] }',
      'exceptions are of "minAge", "advisories" or "malware"; write one of them, or remove them',
    ],
    [
      'packages: { registry: npm, minAge: 3d, exceptions: [{ package: a, reason: b, until: soon }] }',
      '"until" is not a time with a zone; write it as 2030-01-31T12:00:00Z',
    ],
    ['methods: GET, packages: { registry: npm }', '"packages" says the methods already; remove "methods"'],
    [
      'deny: true, packages: { registry: npm }',
      'write what it denies, such as deny: left-pad, deny: "*", or malware: deny',
    ],
    [
      'deny: true, packages: { registry: npm, deny: a, allow: b }',
      '"allow" has no meaning in a rule that denies; write what it denies as deny',
    ],
  ] as const) {
    const said = wrong(keys);
    assert.ok(
      said.some((one) => one.endsWith(`error: ${message}`)),
      `${keys}: ${said.join('\n')}`,
    );
  }
});

test('a diff says whether more or less may be fetched', () => {
  const directions = (before: string, after: string): readonly string[] =>
    diffPolicies(policyOf(before), policyOf(after)).changed.map(({ direction }) => direction);
  assert.deepEqual(directions(npm('allow: [a, b]'), npm('allow: a')), ['narrowed']);
  assert.deepEqual(directions(npm('allow: a@1.0.0'), npm('allow: a')), ['widened']);
  assert.deepEqual(directions(npm('deny: a'), npm('deny: [a, b]')), ['narrowed']);
  assert.deepEqual(directions(npm('allow: a'), npm('allow: b')), ['changed']);
  assert.deepEqual(directions(npm('allow: a'), npm('allow: a, integrity: asked')), ['narrowed']);
  assert.deepEqual(directions(npm('integrity: required'), npm('integrity: asked')), ['widened']);
  const no = (list: string): string =>
    `rules: [{ name: no, hosts: a.example.com, deny: true, packages: { registry: npm, deny: ${list} } }]`;
  assert.deepEqual(directions(no('[a, b]'), no('a')), ['widened']);
  assert.deepEqual(directions(no('a@<2.0.0'), no('a')), ['narrowed']);
});

test('a rule behind one for other packages of the same host can decide, behind one for all of them it cannot', () => {
  const two = (first: string, second: string): string =>
    `rules: [{ name: one, hosts: a.example.com, packages: { registry: npm, ${first} } }, { name: two, hosts: a.example.com, packages: { registry: npm, ${second} } }]`;
  assert.deepEqual(problemsOf(two('allow: a', 'allow: b')), []);
  assert.equal(problemsOf(two('allow: [a, b]', 'allow: b')).length, 1);
  assert.deepEqual(problemsOf(two('allow: b@1.0.0', 'allow: b')), []);
});

test('a build of a version of PyPI is that version, where the range names no build', () => {
  const verdictOf = (range: string, version: string): string =>
    verdict(
      policyOf(
        `rules: [{ name: py, hosts: files.example.com, packages: { registry: pypi, deny: "torch@${range}" } }]`,
      ),
      `GET https://files.example.com/packages/a/b/torch-${version}-py3-none-any.whl`,
    );
  for (const range of ['<=2.0.0', '=2.0.0', '>=2.0.0', '=2.0.0+cu118'])
    assert.notEqual(verdictOf(range, '2.0.0+cu118'), 'allow py', range);
  for (const range of ['<2.0.0', '>2.0.0', '=2.0.0+cu117'])
    assert.equal(verdictOf(range, '2.0.0+cu118'), 'allow py', range);
});

test('the root of a registry is not what the same host and port say without TLS', () => {
  const root = { scheme: 'https', host: 'npm.test', port: 8443, path: '' } as const;
  assert.equal(isRootOf(root, { scheme: 'https', host: 'npm.test', port: 8443 }), true);
  assert.equal(isRootOf(root, { scheme: 'http', host: 'npm.test', port: 8443 }), false);
});
