// What holds for every policy and every request.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalTarget } from '../../src/http/request-target.ts';
import { access, nowMs, policyOf, principal, verdict } from './fixture.ts';

const methods = ['GET', 'PUT'] as const;
const paths = ['/a', '/a/*', '/a/:x', '/b'] as const;
const asked = fc.record({
  method: fc.constantFrom(...methods),
  host: fc.constantFrom('x.example.com', 'y.x.example.com', 'z.example.com'),
  path: fc.constantFrom('/a', '/a/b', '/a/b/c', '/b', '/'),
});
const rule = fc.record({
  host: fc.constantFrom('x.example.com', '*.example.com', '*.x.example.com', '*'),
  methods: fc.option(fc.uniqueArray(fc.constantFrom(...methods), { minLength: 1 })),
  paths: fc.option(fc.uniqueArray(fc.constantFrom(...paths), { minLength: 1 })),
  deny: fc.boolean(),
});
type Rule = typeof rule extends fc.Arbitrary<infer T> ? T : never;

/** A condition of its own keeps each rule from being reported as dead. */
function write(rules: readonly (Rule & { readonly name: string })[], repeat = 1): string {
  const list = (values: readonly string[]): string =>
    JSON.stringify(Array.from({ length: repeat }, () => values).flat());
  const lines = rules.map((one) => {
    const keys = [`name: ${one.name}`, `hosts: ${list([one.host])}`, 'when: request.port > 0'];
    if (one.methods !== null) keys.push(`methods: ${list(one.methods)}`);
    if (one.paths !== null) keys.push(`paths: ${list(one.paths)}`);
    keys.push(one.deny ? 'deny: true' : 'dangerouslyAllowWideHosts: true');
    return `  - { ${keys.join(', ')} }`;
  });
  return `rules:\n${lines.join('\n')}\n`;
}

const named = fc
  .array(rule, { minLength: 1, maxLength: 20 })
  .map((rules) => rules.map((one, i) => ({ ...one, name: `r${i}` })));
const requestOf = ({ method, host, path }: { method: string; host: string; path: string }): string =>
  `${method} https://${host}${path}`;

test('a deny is never masked: no rule that allows, however wide and wherever it stands, lifts it', () => {
  let denials = 0;
  fc.assert(
    fc.property(named, asked, fc.nat(), (rules, request, seed) => {
      const before = verdict(policyOf(write(rules)), requestOf(request));
      if (!before.startsWith('deny r')) return;
      denials += 1;
      const open = { host: '*' as const, methods: null, paths: null, deny: false, name: 'open' };
      const at = seed % (rules.length + 1);
      const after = policyOf(write([...rules.slice(0, at), open, ...rules.slice(at)]));
      assert.equal(verdict(after, requestOf(request)), before);
    }),
    { numRuns: 300 },
  );
  assert.ok(denials > 30, `${denials} denials`);
});

test('the order of rules that deny, and of rules that do not match, changes no effect', () => {
  fc.assert(
    fc.property(named, asked, (rules, request) => {
      const effect = (list: typeof rules): string | undefined =>
        verdict(policyOf(write(list)), requestOf(request)).split(' ')[0];
      const denies = rules.filter(({ deny }) => deny);
      const allows = rules.filter(({ deny }) => !deny);
      assert.equal(effect([...denies.toReversed(), ...allows]), effect(rules));
      assert.equal(effect([...allows, ...denies]), effect(rules));
    }),
    { numRuns: 200 },
  );
});

test('values that stand twice, and rules split over files in the same order, change nothing', () => {
  fc.assert(
    fc.property(named, asked, fc.nat(), (rules, request, seed) => {
      const expected = verdict(policyOf(write(rules)), requestOf(request));
      assert.equal(verdict(policyOf(write(rules, 2)), requestOf(request)), expected);
      const at = seed % (rules.length + 1);
      const parts = [rules.slice(0, at), rules.slice(at)].filter((part) => part.length > 0);
      assert.equal(verdict(policyOf(parts.map((part) => write(part))), requestOf(request)), expected);
    }),
    { numRuns: 200 },
  );
});

test('a decision is a function of its input', () => {
  fc.assert(
    fc.property(named, asked, (rules, request) => {
      const policy = policyOf(write(rules));
      const once = policy.decide(principal(), access(requestOf(request)), nowMs);
      assert.deepEqual(policy.decide(principal(), access(requestOf(request)), nowMs), once);
    }),
    { numRuns: 50 },
  );
});

test('only the canonical path counts: every spelling that the gateway takes for a path is decided as that path', () => {
  const policy = policyOf(`
rules:
  - { name: secret, hosts: a.example.com, paths: /private/*, deny: true }
  - { name: open, hosts: a.example.com, paths: [/public/*, /~user/:file] }
`);
  const spell = (path: string, choices: readonly number[]): string =>
    [...path]
      .map((char, i) => {
        const choice = choices[i % choices.length] ?? 0;
        if (char === '/') return choice % 5 === 4 ? '/./' : '/';
        const hex = char.charCodeAt(0).toString(16);
        return choice % 3 === 0 ? char : `%${choice % 3 === 1 ? hex : hex.toUpperCase()}`;
      })
      .join('');
  const path = fc.constantFrom(
    '/private/key',
    '/public/x',
    '/~user/file',
    '/other',
    '/public/../private/key',
  );
  fc.assert(
    fc.property(path, fc.array(fc.nat(20), { minLength: 1, maxLength: 30 }), (plain, choices) => {
      const canonical = canonicalTarget(plain).path;
      const spelled = canonicalTarget(spell(plain, choices)).path;
      assert.equal(spelled, canonical);
      assert.equal(
        verdict(policy, `GET https://a.example.com${spelled}`),
        verdict(policy, `GET https://a.example.com${canonical}`),
      );
    }),
    { numRuns: 500 },
  );
});
