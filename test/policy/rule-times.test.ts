import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';
import type { AccessGrant } from '../../src/policy/access-grant.ts';
import type { Policy } from '../../src/policy/decision.ts';
import { GrantedPolicy } from '../../src/policy/granted-policy.ts';
import { parsePolicy } from '../../src/policy/parse-policy.ts';
import { access, nowMs, policyOf, principal } from './fixture.ts';

const minuteMs = 60_000;
const hosts = ['a.example.com', 'b.example.com', 'c.example.org'] as const;
const pattern = fc.constantFrom(...hosts, '"*.example.com"');
const minutes = fc.integer({ min: 0, max: 6 });
const time = (minute: number): string => new Date(nowMs + minute * minuteMs).toISOString();
const rule = fc.record({
  pattern,
  deny: fc.boolean(),
  paths: fc.boolean(),
  expires: fc.option(minutes, { nil: undefined }),
  until: fc.option(minutes, { nil: undefined, freq: 8 }),
});
const grant = fc.record({ host: fc.constantFrom(...hosts), ends: minutes });

function grantsOf(many: readonly { readonly host: string; readonly ends: number }[]): readonly AccessGrant[] {
  return many.map(({ host, ends }, i) => ({
    id: String(i),
    scheme: 'https',
    host,
    port: 443,
    subject: { sessionId: 'session' },
    endsMs: nowMs + ends * minuteMs,
  }));
}

test('where nothing is said to change between two times, every decision is the same at both', () => {
  let kept = 0;
  fc.assert(
    fc.property(
      fc.array(rule, { minLength: 1, maxLength: 6 }),
      fc.array(grant, { maxLength: 2 }),
      fc.tuple(minutes, minutes, fc.constantFrom(...hosts)),
      (rules, grants, [from, to, host]) => {
        const lines = rules.map(({ pattern: name, deny, paths, expires, until }, i) => {
          const keys = [
            ...(deny ? ['deny: true'] : []),
            ...(paths ? ['paths: /x'] : []),
            ...(expires === undefined ? [] : [`expires: '${time(expires)}'`]),
            ...(until === undefined ? [] : [`when: 'now < timestamp("${time(until)}")'`]),
          ];
          return `  - { ${[`name: r${i}`, `hosts: ${name}`, ...keys].join(', ')} }`;
        });
        const parsed = parsePolicy([{ file: 'p', text: `rules:\n${lines.join('\n')}\n` }]);
        // A rule that can never decide is an error of its own.
        fc.pre('policy' in parsed);
        const base = parsed.policy;
        const policy: Policy = new GrantedPolicy(base, grantsOf(grants), {});
        const [fromMs, toMs] = [nowMs + from * minuteMs, nowMs + to * minuteMs];
        const at = (name: string, ms: number) =>
          ['GET', 'PUT'].map((method) =>
            policy.decide(principal(), access(`${method} https://${name}/x`), ms),
          );
        for (const [name, isKept] of [
          [host, !policy.changesBetween(fromMs, toMs, host)] as const,
          ...hosts.map((one) => [one, !policy.changesBetween(fromMs, toMs)] as const),
        ]) {
          if (!isKept) continue;
          kept++;
          assert.deepEqual(at(name, fromMs), at(name, toMs));
        }
      },
    ),
    { seed: 14, numRuns: 400 },
  );
  assert.ok(kept > 300, `too few times were said to be alike: ${String(kept)}`);
});

test('the rules of another host change nothing, unless fields can ask for something of it', () => {
  const of = (own: string): Policy =>
    policyOf(
      `rules:\n  - { name: a, hosts: a.example.com${own} }\n  - { name: b, hosts: b.example.com, expires: '${time(1)}' }\n`,
    );
  const changes = (policy: Policy, host?: string): boolean =>
    policy.changesBetween(nowMs, nowMs + 2 * minuteMs, host);
  assert.deepEqual(
    [changes(of('')), changes(of(''), 'a.example.com'), changes(of(''), 'b.example.com')],
    [true, false, true],
  );
  assert.equal(changes(of(', paths: /x'), 'a.example.com'), true);
});
