import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePolicy } from '../../src/policy/parse-policy.ts';
import { bothScreens, type RuleScreen, screenCovers, screenText } from '../../src/policy/screen-rule.ts';

const judge = { by: 'judge', timeoutMs: 500, onError: 'deny' } as const;
const lenient = { ...judge, onError: 'allow' } as const;
const screen = (changes: Partial<RuleScreen> = {}): RuleScreen => ({
  on: 'annotate',
  find: ['phrase'],
  judges: [judge],
  ...changes,
});

test('a screen covers what is judged by no less, and asks no fewer', () => {
  const table = [
    [screen(), screen(), true],
    [screen(), screen({ judges: [lenient] }), false],
    [screen({ judges: [lenient] }), screen(), true],
    [screen(), screen({ judges: [] }), false],
    [screen(), screen({ judges: [{ ...judge, by: 'other' }] }), false],
    [screen({ judges: [] }), screen(), true],
    [screen({ on: 'block' }), screen(), false],
    [screen(), undefined, false],
    [undefined, screen(), true],
  ] as const;
  for (const [outer, inner, expected] of table) {
    assert.equal(screenCovers(outer, inner), expected, JSON.stringify([outer, inner]));
    // What both ask for is at least as strict as either.
    const both = bothScreens(outer, inner);
    for (const one of [outer, inner]) assert.ok(screenCovers(one, both));
  }
});

test('what is asked is said for people', () => {
  assert.equal(screenText(screen()), 'annotate: phrase; by judge within 500 ms');
  assert.equal(
    screenText(screen({ judges: [lenient] })),
    'annotate: phrase; by judge within 500 ms, passed on where it says nothing',
  );
});

test('a decider of a screen is one that can be asked about responses, and its keys stand beside its name', () => {
  const known = { deciders: ['judge', 'envoy'], requestDeciders: ['envoy'] };
  const problems = (text: string, names = {}): readonly string[] => {
    const result = parsePolicy(
      [{ file: 'p.yaml', text: `rules: [{ name: r, hosts: a.test, screen: ${text} }]` }],
      names,
    );
    return 'problems' in result ? result.problems.map(({ message }) => message) : [];
  };
  assert.deepEqual(problems('{ on: block, by: judge, onError: allow, timeoutMs: 10 }', known), []);
  assert.deepEqual(problems('{ on: block, by: none }'), []);
  for (const [text, told] of [
    ['{ on: block, by: none }', /there is no decider "none"/],
    ['{ on: block, by: envoy }', /ext_authz, which knows requests alone/],
    ['{ on: block, onError: allow }', /"onError" is about a decider/],
    ['{ on: block, timeoutMs: 10 }', /"timeoutMs" is about a decider/],
    ['{ on: block, by: judge, timeoutMs: 0 }', /write milliseconds from 1/],
    ['{ on: block, by: judge, onError: pass }', /write deny, or allow/],
    ['{ on: block, url: "https://judge.test" }', /deciders stand in the gateway's configuration/],
  ] as const)
    assert.match(problems(text, known).join('; '), told, text);
});

test('a rule on trial tells, and blocks nothing', () => {
  for (const [file, rule, on] of [
    ['', '', 'block'],
    ['', 'mode: observe, ', 'alert'],
    ['mode: observe\n', '', 'alert'],
    ['mode: observe\n', 'mode: enforce, ', 'block'],
  ] as const) {
    const text = `${file}rules:\n  - { name: a, hosts: a.test, ${rule}screen: { on: block } }\n`;
    const result = parsePolicy([{ file: 'p.yaml', text }]);
    assert.ok('policy' in result);
    assert.equal(result.policy.rules[0]?.screen?.on, on, text);
  }
});
