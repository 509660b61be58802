// Rules that look at advisories: what is known against a version keeps it back, and what nobody knows keeps all back.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RequestAccess } from '../../src/policy/decision.ts';
import { bothKeepBack } from '../../src/policy/package-advisories.ts';
import { diffPolicies } from '../../src/policy/diff-policy.ts';
import { parsePolicy } from '../../src/policy/parse-policy.ts';
import type { FoundAdvisory, PackageAdvisories } from '../../src/understand/packages/advisory.ts';
import { access, nowMs, policyOf, principal, problemsOf } from './fixture.ts';

const known: Readonly<Record<string, readonly (FoundAdvisory & { readonly versions: readonly string[] })[]>> =
  {
    lodash: [
      { ids: ['GHSA-low', 'CVE-1'], level: 'low', versions: ['1.0.0'] },
      { ids: ['GHSA-mod'], level: 'moderate', versions: ['2.0.0'] },
      { ids: ['GHSA-high', 'CVE-3'], level: 'high', versions: ['3.0.0'] },
      { ids: ['GHSA-crit'], level: 'critical', versions: ['4.0.0', '3.0.0'] },
      { ids: ['PYSEC-none'], level: 'unknown', versions: ['5.0.0'] },
      { ids: ['MAL-1', 'CVE-6'], level: 'malware', versions: ['6.0.0'] },
    ],
  };
const advisories: PackageAdvisories = {
  covers: (registry) => registry === 'npm',
  find: (_, name, version) =>
    (known[name] ?? []).filter(({ versions }) => version === undefined || versions.includes(version)),
};

const archive = (version: string): string =>
  `GET https://registry.example.com/lodash/-/lodash-${version}.tgz`;
const rule = (keys: string, more = ''): string =>
  `rules: [{ name: npm, hosts: registry.example.com, ${more} packages: { registry: npm, ${keys} } }]`;

function decide(
  policy: string,
  asked: string,
  index: PackageAdvisories | undefined = advisories,
): { readonly verdict: string; readonly reason: string } {
  const request = access(asked);
  assert.ok(request.depth === 'request');
  const given: RequestAccess = index === undefined ? request : { ...request, advisories: index };
  const decision = policyOf(policy).decide(principal(), given, nowMs);
  const reason = decision.effect === 'deny' ? decision.reason : '';
  return { verdict: `${decision.effect} ${decision.rule.name}`, reason };
}

describe('from which severity on', () => {
  const allowedBy: Readonly<Record<string, readonly string[]>> = {
    'advisories: { deny: low }': ['0.9.0'],
    'advisories: { deny: moderate }': ['0.9.0', '1.0.0'],
    'advisories: { deny: high }': ['0.9.0', '1.0.0', '2.0.0'],
    // What nobody said the severity of counts as high.
    'advisories: { deny: critical }': ['0.9.0', '1.0.0', '2.0.0', '5.0.0'],
    'malware: deny': ['0.9.0', '1.0.0', '2.0.0', '3.0.0', '4.0.0', '5.0.0'],
  };
  const versions = ['0.9.0', '1.0.0', '2.0.0', '3.0.0', '4.0.0', '5.0.0', '6.0.0'];
  for (const [keys, allowed] of Object.entries(allowedBy))
    test(keys, () => {
      const found = versions.filter((one) => decide(rule(keys), archive(one)).verdict === 'allow npm');
      assert.deepEqual(found, allowed);
      const denying = `rules: [{ name: no, hosts: registry.example.com, deny: true, packages: { registry: npm, ${keys} } }, { name: all, hosts: registry.example.com }]`;
      const left = versions.filter((one) => decide(denying, archive(one)).verdict === 'allow all');
      assert.deepEqual(left, allowed);
    });
});

test('a denial says which advisory it is, the worst one first', () => {
  const told = (version: string): string =>
    decide(rule('advisories: { deny: low }'), archive(version)).reason;
  assert.match(
    told('3.0.0'),
    /The rule npm keeps it back: lodash@3\.0\.0 is affected by GHSA-crit \(critical\)\./,
  );
  assert.match(told('5.0.0'), /is affected by PYSEC-none \(of unknown severity\)/);
  assert.match(told('6.0.0'), /lodash@6\.0\.0 is malware \(MAL-1\)/);
  const denying = `rules: [{ name: no, hosts: registry.example.com, deny: true, packages: { registry: npm, malware: deny } }]`;
  assert.match(
    decide(denying, archive('6.0.0')).reason,
    /The rule no refuses .*: the version is malware \(MAL-1\)\./,
  );
});

test('without an index that has the registry nothing is allowed, and a rule that denies takes all', () => {
  for (const keys of ['malware: deny', 'advisories: { deny: critical }']) {
    for (const index of [undefined, { ...advisories, covers: () => false }]) {
      const given = index ?? undefined;
      const request = access(archive('0.9.0'));
      assert.ok(request.depth === 'request');
      const asked = given === undefined ? request : { ...request, advisories: given };
      const decision = policyOf(rule(keys)).decide(principal(), asked, nowMs);
      assert.ok(decision.effect === 'deny');
      assert.match(decision.reason, /there is no index of advisories about packages of npm that can be read/);
      const list = access('GET https://registry.example.com/lodash');
      assert.equal(policyOf(rule(keys)).decide(principal(), list, nowMs).effect, 'deny');
      const ping = access('GET https://registry.example.com/-/ping');
      assert.equal(policyOf(rule(keys)).decide(principal(), ping, nowMs).effect, 'allow');
      const denying = `rules: [{ name: no, hosts: registry.example.com, deny: true, packages: { registry: npm, ${keys} } }, { name: all, hosts: registry.example.com }]`;
      assert.equal(policyOf(denying).decide(principal(), asked, nowMs).effect, 'deny');
    }
  }
});

test('a response that names a version is not let through where one of the package could be meant', () => {
  const tag = 'GET https://registry.example.com/lodash/latest';
  assert.equal(decide(rule('malware: deny'), tag).verdict, 'deny default-deny');
  const denying = `rules: [{ name: no, hosts: registry.example.com, deny: true, packages: { registry: npm, malware: deny } }, { name: all, hosts: registry.example.com }]`;
  assert.equal(decide(denying, tag).verdict, 'deny no');
  assert.equal(decide(denying, 'GET https://registry.example.com/react/latest').verdict, 'allow all');
  assert.equal(decide(denying, 'GET https://registry.example.com/lodash').verdict, 'allow all');
});

test('an exception names the advisory that it is in spite of, and opens nothing else', () => {
  const until = new Date(nowMs + 86_400_000).toISOString();
  const past = new Date(nowMs - 1).toISOString();
  const except = (more: string, end = until): string =>
    `advisories: { deny: high }, exceptions: [{ package: "lodash@<=4.0.0", reason: no way to it, until: "${end}"${more} }]`;
  const of = (keys: string, version: string): string => decide(rule(keys), archive(version)).verdict;
  assert.equal(of(except(', advisory: GHSA-crit'), '4.0.0'), 'allow npm');
  // Another advisory is left, by any of its ids.
  assert.equal(of(except(', advisory: GHSA-crit'), '3.0.0'), 'deny default-deny');
  assert.equal(of(except(', advisory: [GHSA-crit, CVE-3]'), '3.0.0'), 'allow npm');
  assert.equal(of(except(', advisory: MAL-1'), '6.0.0'), 'deny default-deny');
  const all = (id: string): string => except(`, advisory: ${id}`).replace('@<=4.0.0', '');
  assert.equal(of(all('CVE-6'), '6.0.0'), 'deny default-deny', 'malware is excepted by its own id alone');
  assert.equal(of(all('MAL-1'), '6.0.0'), 'allow npm');
  assert.equal(of(except(', advisory: GHSA-crit', past), '4.0.0'), 'deny default-deny');
  // One of the age opens no advisory.
  const aged = `minAge: 3d, ${except('')}`;
  assert.equal(of(aged, '4.0.0'), 'deny default-deny');
});

test('what makes no sense is said', () => {
  const problem = (keys: string, more = ''): string => problemsOf(rule(keys, more))[0] ?? '';
  const end = 'reason: a, until: "2031-01-01T00:00:00Z"';
  assert.match(problem('advisories: { deny: severe }'), /low, moderate, high, critical/);
  assert.match(problem('malware: allow'), /write malware: deny/);
  assert.match(
    problem(`malware: deny, exceptions: [{ package: a, ${end} }]`),
    /without "advisory" is of "minAge"/,
  );
  assert.match(
    problem(`minAge: 3d, exceptions: [{ package: a, advisory: GHSA-1, ${end} }]`),
    /looks at no advisories/,
  );
  const image = problemsOf('rules: [{ name: r, hosts: a.test, packages: { registry: oci, malware: deny } }]');
  assert.match(image[0] ?? '', /no advisories about images/);
});

test('policy check names rules that look into an index that nobody keeps', () => {
  const warnings = (names: readonly string[] | undefined): readonly string[] => {
    const options = names === undefined ? {} : { advisories: names };
    const read = parsePolicy([{ file: 'policy.yaml', text: rule('malware: deny') }], options);
    return 'problems' in read ? [] : read.warnings.map(({ message }) => message);
  };
  assert.deepEqual(warnings(undefined), []);
  assert.deepEqual(warnings(['advisories.index']), []);
  assert.match(warnings([])[0] ?? '', /has no index of them, so it allows nothing/);
});

test('a diff says whether less is kept back, and a ceiling that keeps back is not gone round', () => {
  const end = 'reason: a, until: "2031-01-01T00:00:00Z"';
  const direction = (before: string, after: string): string | undefined =>
    diffPolicies(policyOf(rule(before)), policyOf(rule(after))).changed[0]?.direction;
  const excepted = `malware: deny, exceptions: [{ package: a, advisory: MAL-1, ${end} }]`;
  assert.equal(direction('malware: deny', 'advisories: { deny: critical }'), 'narrowed');
  assert.equal(direction('advisories: { deny: low }', 'advisories: { deny: high }'), 'widened');
  assert.equal(direction('advisories: { deny: low }', 'malware: deny'), 'widened');
  // What nobody said the severity of counts as high.
  assert.equal(direction('advisories: { deny: high }', 'advisories: { deny: critical }'), 'widened');
  assert.equal(direction('malware: deny', excepted), 'widened');
  assert.equal(direction(excepted, 'malware: deny'), 'narrowed');
  const bound = { advisoriesFrom: 'high', deniesMalware: false } as const;
  assert.deepEqual(bothKeepBack({ advisoriesFrom: 'critical', deniesMalware: true }, bound), {
    advisoriesFrom: 'high',
    deniesMalware: true,
  });
  assert.deepEqual(bothKeepBack(undefined, bound), bound);
});
