// What `provenance` of a rule means: which repositories a pattern names, what one of two rules lets through, and where it cannot be had.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderList } from '../../src/http/header-list.ts';
import type { Decision, RequestAccess } from '../../src/policy/decision.ts';
import { sourceOf } from '../../src/policy/known-package.ts';
import { matchesRepository, type Provenance, provenanceCovers } from '../../src/policy/package-provenance.ts';
import { parsePolicy, type ParsePolicyOptions } from '../../src/policy/parse-policy.ts';
import { nowMs, principal } from './fixture.ts';

for (const [pattern, repository, isNamed] of [
  ['https://github.com/acme/lib', 'https://github.com/acme/lib', true],
  ['https://github.com/acme/lib', 'https://github.com/acme/lib2', false],
  ['https://github.com/acme/lib', 'https://github.com/acme/lib/', false],
  ['https://github.com/acme/*', 'https://github.com/acme/lib', true],
  ['https://github.com/acme/*', 'https://github.com/acme/lib/sub', false],
  ['https://github.com/acme-*/lib', 'https://github.com/acme-a/lib', true],
  ['https://github.com/*', 'https://github.com/acme/lib', false],
  ['https://gitlab.com/acme/**', 'https://gitlab.com/acme/a/b', true],
  ['https://gitlab.com/acme/**', 'https://gitlab.com/acme', false],
  ['https://gitlab.com/acme/**', 'https://gitlab.com/acme2/a', false],
  ['https://github.com/acme/*', 'https://github.com.evil.test/acme/lib', false],
  ['https://github.com/acme/*', 'http://github.com/acme/lib', false],
  ['https://github.com/acme/lib', 'https://github.com/Acme/lib', false],
] as const)
  test(`${pattern} ${isNamed ? 'is' : 'is not'} for ${repository}`, () => {
    assert.equal(matchesRepository(pattern, repository), isNamed);
  });

test('what covers wants no more than what is covered', () => {
  const [any, acme, lib] = [undefined, ['https://github.com/acme/*'], ['https://github.com/acme/lib']].map(
    (repositories) => ({ repositories, issuers: undefined }),
  );
  const both = { repositories: [...acme!.repositories!, ...lib!.repositories!], issuers: undefined };
  const issued = { repositories: undefined, issuers: ['https://a.test'] };
  assert.deepEqual(
    [
      provenanceCovers(undefined, any),
      provenanceCovers(any, undefined),
      provenanceCovers(any, acme),
      provenanceCovers(acme, any),
      provenanceCovers(both, lib),
      provenanceCovers(lib, both),
      provenanceCovers(any, issued),
      provenanceCovers(issued, any),
    ],
    [true, false, true, false, true, false, true, false],
  );
});

const read = (rules: readonly string[], options: ParsePolicyOptions = {}) =>
  parsePolicy(
    [{ file: 'policy.yaml', text: `rules:\n${rules.map((one) => `  - ${one}\n`).join('')}` }],
    options,
  );

const npm = (provenance: string, more = ''): string =>
  `{ name: r, hosts: npm.test, ${more} packages: { registry: npm, provenance: ${provenance} } }`;

for (const [rule, problem] of [
  [npm('required', 'deny: "No.",'), /no meaning in a rule that denies/],
  [
    npm('required').replace('registry: npm', 'registry: cargo'),
    /registries of cargo keep no attestations.*npm, pypi/,
  ],
  [npm('required').replace('hosts: npm.test', 'hosts: "*.test"'), /asks the registry for attestations/],
  [npm('{}'), /provenance: required, or a repository/],
  [npm('{ repository: github.com/acme/lib }'), /is no repository/],
  [npm('{ repository: "https://*/acme/lib" }'), /is no repository/],
  [npm('{ repository: "https://github.com" }'), /is no repository/],
  [npm('{ repository: "https://github.com/**/lib" }'), /is no repository/],
  [npm('{ issuer: token.actions.githubusercontent.com }'), /is no issuer/],
] as const)
  test(`it is a mistake: ${rule}`, () => {
    const result = read([rule]);
    assert.ok('problems' in result);
    assert.match(JSON.stringify(result.problems), problem);
  });

test('a rule that wants it where the gateway has no root of trust is told', () => {
  const warnings = (provenance: readonly string[] | undefined): number => {
    const result = read([npm('required')], provenance === undefined ? {} : { provenance });
    return 'problems' in result ? -1 : result.warnings.length;
  };
  assert.deepEqual([warnings([]), warnings(['root.json']), warnings(undefined)], [1, 0, 0]);
});

const destination = { scheme: 'https', host: 'npm.test', port: 443 } as const;
const source = sourceOf({ registry: 'npm', root: undefined }, destination);
const archive: RequestAccess = {
  depth: 'request',
  destination,
  method: 'GET',
  path: '/lib/-/lib-1.0.0.tgz',
  query: '',
  headers: new HeaderList(),
};

function decided(rules: readonly string[], access: Partial<RequestAccess>): Decision {
  const result = read(rules);
  if ('problems' in result) assert.fail(JSON.stringify(result.problems));
  return result.policy.decide(principal(), { ...archive, ...access }, nowMs);
}

const known = (provenance: Provenance, at = source): Partial<RequestAccess> => ({
  provenance: { source: at, of: () => provenance },
});
const by = { repository: 'https://github.com/acme/lib', issuer: 'https://issuer.test' };

test('attestations are asked for once nothing else keeps a version back, and decide then', () => {
  const rules = [npm('{ repository: "https://github.com/acme/*" }')];
  const first = decided(rules, {});
  assert.deepEqual([first.effect, first.awaits], ['allow', 'provenance']);
  const verified = decided(rules, known({ kind: 'verified', by: [{ ...by, digest: 'sha512-a' }] }));
  assert.deepEqual(
    [verified.effect, verified.awaits, verified.package?.attested],
    ['allow', undefined, ['sha512-a']],
  );
  const denied = decided(rules, known({ kind: 'none', why: 'has none' }));
  assert.deepEqual([denied.effect, denied.package?.isUnattested], ['deny', true]);
  assert.match(denied.effect === 'deny' ? denied.reason : '', /requires provenance: lib@1\.0\.0 has none/);
});

test('of several attestations those count that the rule wants', () => {
  const other = { ...by, repository: 'https://github.com/other/lib', digest: 'sha512-b' };
  const verified = decided(
    [npm('{ repository: "https://github.com/acme/*" }')],
    known({ kind: 'verified', by: [other, { ...by, digest: 'sha512-a' }] }),
  );
  assert.deepEqual(verified.package?.attested, ['sha512-a']);
});

test('what is known of another registry says nothing', () => {
  const at = sourceOf({ registry: 'npm', root: undefined }, { ...destination, host: 'other.test' });
  const verified: Provenance = { kind: 'verified', by: [{ ...by, digest: 'sha512-a' }] };
  assert.equal(decided([npm('required')], known(verified, at)).effect, 'deny');
});

test('what another rule lets through without attestations comes without them', () => {
  const rules = [npm('required'), '{ name: s, hosts: npm.test, packages: { registry: npm, allow: lib } }'];
  const decision = decided(rules, known({ kind: 'none', why: 'has none' }));
  assert.deepEqual([decision.effect, decision.rule.name], ['allow', 's']);
  assert.equal(decision.package?.attested, undefined);
});

test('metadata that names a version only in its response is refused', () => {
  assert.equal(decided([npm('required')], { path: '/lib/latest' }).effect, 'deny');
  assert.equal(decided([npm('required')], { path: '/lib' }).package?.hides, true);
});
