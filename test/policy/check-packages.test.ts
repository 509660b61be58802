// What one of two rules allows is allowed: a rule that says nothing of requests opens what one about packages keeps back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePolicy } from '../../src/policy/parse-policy.ts';

const packages = '{ name: npm, hosts: npm.corp.test, packages: { registry: npm, minAge: 3d } }';

function warningsOf(...rules: readonly string[]): readonly string[] {
  const text = `rules:\n${rules.map((rule) => `  - ${rule}\n`).join('')}`;
  const result = parsePolicy([{ file: 'policy.yaml', text }]);
  if ('problems' in result) assert.fail(JSON.stringify(result.problems));
  return result.warnings.map(({ line, severity, message }) => `${String(line)} ${severity} ${message}`);
}

test('a rule that allows all of the host is told, with the rule that it opens', () => {
  const [warning = '', ...others] = warningsOf(packages, '{ name: all, hosts: npm.corp.test }');
  assert.deepEqual(others, []);
  assert.match(
    warning,
    /^3 warning this rule allows all of npm\.corp\.test, so "npm" \(policy\.yaml:2.*paths/,
  );
});

for (const [name, rule] of Object.entries({
  'a wildcard': '{ name: all, hosts: "*.corp.test" }',
  'the method of reads': '{ name: all, hosts: npm.corp.test, methods: [GET, POST] }',
  'one for some sessions': '{ name: all, hosts: npm.corp.test, for: { team: a } }',
}))
  test(`it is told too: ${name}`, () => {
    assert.equal(warningsOf(packages, rule).length, 1);
  });

for (const [name, rule] of Object.entries({
  'other hosts': '{ name: all, hosts: other.test }',
  'other ports': '{ name: all, hosts: npm.corp.test, ports: 8443 }',
  'other methods': '{ name: all, hosts: npm.corp.test, methods: POST }',
  'named paths': '{ name: all, hosts: npm.corp.test, paths: "/-/**" }',
  'a condition': `{ name: all, hosts: npm.corp.test, when: 'request.path == "/a"' }`,
  'packages too': '{ name: all, hosts: npm.corp.test, packages: { registry: npm, allow: a } }',
  'a denial': '{ name: all, hosts: npm.corp.test, methods: PUT, deny: "No." }',
}))
  test(`it is no finding: ${name}`, () => {
    assert.deepEqual(warningsOf(packages, rule), []);
  });

test('of rules for other sessions nothing is told', () => {
  const own = packages.replace('hosts:', 'for: { team: a }, hosts:');
  assert.deepEqual(warningsOf(own, '{ name: all, hosts: npm.corp.test, for: { team: b } }'), []);
  assert.equal(warningsOf(own, '{ name: all, hosts: npm.corp.test, for: { team: a } }').length, 1);
});
