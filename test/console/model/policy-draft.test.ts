import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { allowRule } from '../../../src/console/model/allow-rule.ts';
import {
  claimsOf,
  draftText,
  emptyDraft,
  isPolicyName,
  type PolicyDraft,
  sentFiles,
  withFirstRule,
  withRule,
} from '../../../src/console/model/policy-draft.ts';
import { parsePolicy } from '../../../src/policy/parse-policy.ts';
import { formatProblem } from '../../../src/policy/problem.ts';
import { event } from '../support/event.ts';

const rule = allowRule(
  event('1', { verdict: 'deny', rule: 'default-deny', port: 443, scheme: 'https' }),
  'this',
);
const name = 'api-example-com-get';

function drafted(...texts: readonly string[]): PolicyDraft {
  return { ...emptyDraft, files: texts.map((text, at) => ({ name: `${at}.yaml`, text })) };
}

/** The names of its rules as the policy's own reader has them. */
function rulesOf(draft: PolicyDraft): readonly string[] {
  const read = parsePolicy(sentFiles(draft).map(({ name: file, text }) => ({ file, text })));
  if ('problems' in read) assert.fail(`${draftText(draft)}\n${read.problems.map(formatProblem).join('\n')}`);
  return read.policy.rules.map(({ reference }) => reference.name);
}

describe('a rule that is handed to a draft', () => {
  const own = '  - name: own\n    hosts: a.example.com\n';
  const files: readonly [string, PolicyDraft, readonly string[], number][] = [
    ['is all of an empty one', emptyDraft, [name], 0],
    ['stands behind the others', drafted(`rules:\n${own}`), ['own', name], 0],
    ['whatever their dashes', drafted('rules:\n- name: own\n  hosts: a.example.com\n'), ['own', name], 0],
    ['or far in', drafted('rules:\n      - name: own\n        hosts: a.example.com'), ['own', name], 0],
    [
      'behind what comes before them',
      drafted(`mode: enforce\nrules: # all\n\n${own}\n# end\n`),
      ['own', name],
      0,
    ],
    [
      'in a file of its own where rules are not last',
      drafted(`rules:\n${own}mode: enforce\n`),
      ['own', name],
      1,
    ],
    [
      'where they stand in brackets',
      drafted('rules: [{ name: own, hosts: a.example.com }]\n'),
      ['own', name],
      1,
    ],
    ['where there are none', drafted('mode: enforce\n'), [name], 1],
    ['where the text has an end', drafted(`---\nrules:\n${own}...\n`), ['own', name], 1],
    ['in the first that has them last', drafted('mode: enforce\n', `rules:\n${own}`), ['own', name], 1],
  ];
  for (const [what, draft, names, at] of files)
    test(what, () => {
      const handed = withRule(draft, rule);
      assert.deepEqual(rulesOf(handed), names);
      assert.equal(handed.at, at);
      const line = draftText(handed).split('\n')[(handed.goTo?.line ?? 0) - 1];
      assert.match(line ?? '', new RegExp(`^ *- name: ${name}$`));
    });

  test('stands before all others of its file where one behind them would not be reached', () => {
    const asking = '  - name: ask\n    hosts: api.example.com\n    ask: true\n';
    for (const before of ['', 'mode: enforce\n', '# a comment\nmode: enforce\n\n']) {
      const handed = withFirstRule(drafted(`${before}rules: # all\n${asking}`), rule);
      assert.deepEqual(rulesOf(handed), [name, 'ask']);
      const line = draftText(handed).split('\n')[(handed.goTo?.line ?? 0) - 1];
      assert.match(line ?? '', new RegExp(`^ *- name: ${name}$`));
    }
    assert.deepEqual(rulesOf(withFirstRule(emptyDraft, rule)), [name]);
  });

  test('has a name of its own', () => {
    const other = (path: string): string => allowRule(event('3', { path, rule: 'default-deny' }), 'this');
    const thrice = withRule(withRule(withRule(emptyDraft, rule), other('/a')), other('/b'));
    assert.deepEqual(rulesOf(thrice), [name, `${name}-2`, `${name}-3`]);
  });

  test('says what it says, whatever the request was', () => {
    const odd = event('2', {
      path: '/a$&b/(x)/\u202e"- name: evil',
      host: 'api.example.com',
      rule: 'default-deny',
    });
    const handed = withRule(drafted(`rules:\n${own}`), allowRule(odd, 'this'));
    assert.deepEqual(rulesOf(handed), ['own', name]);
    assert.ok(draftText(handed).includes('$&b'));
  });
});

test('claims are read, or what cannot be is said', () => {
  assert.deepEqual(claimsOf(''), {});
  assert.deepEqual(claimsOf('team=web, repository = acme/a=b ,'), { team: 'web', repository: 'acme/a=b' });
  assert.equal(claimsOf('team=web, x'), 'x');
  assert.equal(claimsOf('=x'), '=x');
  assert.equal(claimsOf('x='), 'x=');
  assert.equal(Object.keys(claimsOf('__proto__=x')).length, 1);
});

test('names of policies are those that the API takes', () => {
  for (const good of ['main', 'team-web', '0']) assert.ok(isPolicyName(good), good);
  for (const bad of ['', 'Main', '-a', 'a/b', 'a'.repeat(64), 'a\n']) assert.ok(!isPolicyName(bad), bad);
});
