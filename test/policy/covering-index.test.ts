import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CoveringIndex } from '../../src/policy/covering-index.ts';
import { decidesBefore } from '../../src/policy/rule-cover.ts';
import type { Rule } from '../../src/policy/rule.ts';
import { policyOf } from './fixture.ts';

const rule = fc.record({
  hosts: fc.uniqueArray(
    fc.constantFrom('a.example.com', '*.example.com', 'b.a.example.com', '*.a.example.com', '*', '192.0.2.1'),
    { minLength: 1, maxLength: 3 },
  ),
  // Each pair is something that a rule may say of requests.
  says: fc.constantFrom(
    '',
    'methods: GET',
    'methods: [PUT, GET]',
    'paths: /a',
    'paths: /a/*',
    'paths: /a/b/*',
    'paths: [/a/:x, /a/b]',
    'paths: /a/:x/c',
    'paths: /:x/*',
    'paths: /a/b/c',
    'paths: /ab*',
    'git: { repository: acme/app, operations: fetch }',
    'git: { repository: acme/**, operations: fetch }',
    'git: { repository: [acme/a*, other/x], operations: [fetch, push] }',
    'tls: passthrough',
    'scheme: tcp, ports: [22, 443]',
    'require: jailed',
  ),
  ports: fc.constantFrom('', 'ports: 443', 'ports: [80, 8443]', `ports: [${range(30)}]`),
  scheme: fc.constantFrom('', 'scheme: http', 'scheme: [https, http]'),
  sessions: fc.constantFrom('', 'for: { team: a }', 'for: { team: b }'),
  mode: fc.constantFrom('', '', 'mode: observe'),
  deny: fc.boolean(),
});

function range(count: number): string {
  return Array.from({ length: count }, (_, i) => 440 + i).join(', ');
}

/** Rules as they are compiled alone, so that what is wrong between them does not matter. */
function compiled(texts: readonly string[]): readonly Rule[] {
  return texts.flatMap((text, order) => {
    try {
      return policyOf(`rules: [${text}]`).rules.map((one) => Object.assign(one, { order }));
    } catch {
      // Keys that do not go together.
      return [];
    }
  });
}

test('the index finds a rule that decides before another wherever comparing all of them does', () => {
  let found = 0;
  fc.assert(
    fc.property(fc.array(rule, { minLength: 10, maxLength: 30 }), (written) => {
      const rules = compiled(
        written.map((one, i) => {
          const effect = one.deny ? 'deny: true' : 'dangerouslyAllowWideHosts: true';
          const ports = one.says.includes('ports') ? '' : one.ports;
          const scheme = one.says.includes('scheme') ? '' : one.scheme;
          const keys = [one.says, ports, scheme, one.sessions, one.mode, effect].filter((key) => key !== '');
          return `{ name: r${i}, hosts: ${JSON.stringify(one.hosts)}, ${keys.join(', ')} }`;
        }),
      );
      const index = new CoveringIndex(rules);
      for (const one of rules) {
        const expected = rules.some((other) => other !== one && decidesBefore(other, one));
        const killer = index.find(one);
        assert.equal(killer !== undefined, expected, JSON.stringify([one.reference, killer?.reference]));
        if (killer === undefined) continue;
        assert.ok(decidesBefore(killer, one));
        found += 1;
      }
    }),
    { numRuns: 200 },
  );
  assert.ok(found > 100, `${found} rules were covered`);
});
