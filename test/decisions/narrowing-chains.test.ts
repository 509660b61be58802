// Random chains of sessions that made each other, beside every access of a small world: what a child may, its parent may too.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundPolicies } from '../../src/policy/bound-policies.ts';
import type {
  AccessRequest,
  AllowDecision,
  Decision,
  NarrowingStep,
  Policy,
  Principal,
} from '../../src/policy/decision.ts';
import { GrantedPolicy } from '../../src/policy/granted-policy.ts';
import { NarrowedPolicy } from '../../src/policy/narrowed-policy.ts';
import { parseNarrowing } from '../../src/policy/parse-narrowing.ts';
import { formatProblem } from '../../src/policy/problem.ts';
import { access, nowMs, policyOf, principal } from '../policy/fixture.ts';
import { seededBelow } from '../support/seeded.ts';

/** `npm run test:decisions` looks at all of them. */
const chains = process.env['DECISIONS_RUNS'] === undefined ? 60 : 1_000;
const depthMax = 4;

class Draw {
  readonly below: (max: number) => number;

  constructor(seed: number) {
    this.below = seededBelow(seed);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  of<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    assert.ok(found !== undefined);
    return found;
  }

  some<T>(list: readonly T[], percent: number): readonly T[] {
    const found = list.filter(() => this.chance(percent));
    return found.length === 0 ? [this.of(list)] : found;
  }
}

const hosts = ['a.test', 'b.test', 'c.test'];
const methods = ['GET', 'POST', 'DELETE'];
const paths = ['/', '/x', '/x/y', '/x%2fy', '/z/../x'];
const patterns = ['/', '/x', '/x/*', '/:one', '/z/*'];

const world: readonly AccessRequest[] = hosts.flatMap((host) => {
  const ofScheme = (scheme: string): readonly AccessRequest[] => [
    access(`${scheme}://${host}`),
    ...methods.flatMap((method) => paths.map((path) => access(`${method} ${scheme}://${host}${path}`))),
  ];
  return [access(`${host}:22`), ...ofScheme('https'), ...ofScheme('http')];
});

type RuleText = Record<string, unknown>;

/** What both kinds of policies have. */
function matching(draw: Draw, name: string): RuleText {
  const rule: RuleText = { name, hosts: draw.chance(20) ? ['*.test'] : draw.some(hosts, 50) };
  if (draw.chance(8)) return { ...rule, scheme: 'tcp', ports: [22] };
  if (draw.chance(50)) rule['methods'] = draw.some(methods, 50);
  if (draw.chance(50)) rule['paths'] = draw.some(patterns, 40);
  if (draw.chance(30)) rule['scheme'] = draw.chance(50) ? ['https', 'http'] : 'http';
  if (draw.chance(20))
    rule['limits'] = { bodyBytes: 1 + draw.below(100), requestsPerSession: 1 + draw.below(9) };
  if (draw.chance(15)) rule['bodies'] = 'where-defined';
  return rule;
}

/** Passes TLS through; it looks at nothing but the destination. */
const passing = (draw: Draw, name: string): RuleText => ({
  name,
  hosts: draw.some(hosts, 40),
  tls: 'passthrough',
});

function denying(draw: Draw, name: string): RuleText {
  const { limits: _, bodies: _bodies, ...rule } = matching(draw, name);
  return { ...rule, deny: true };
}

function narrowingText(draw: Draw): string {
  const rules = Array.from({ length: 1 + draw.below(5) }, (_, index) => {
    const name = `n${index}`;
    if (draw.chance(15)) return denying(draw, name);
    return draw.chance(15) ? passing(draw, name) : matching(draw, name);
  });
  return JSON.stringify({ rules });
}

function baseText(draw: Draw, isCeiling: boolean): string {
  const rules = Array.from({ length: 2 + draw.below(6) }, (_, index) => {
    const name = `r${index}`;
    if (draw.chance(15)) return denying(draw, name);
    if (draw.chance(15)) return passing(draw, name);
    const rule = matching(draw, name);
    const { limits, scheme } = rule;
    if (isCeiling && limits !== undefined) rule['limits'] = { bodyBytes: 50 };
    if (scheme === undefined && draw.chance(30)) rule['inject'] = 'npm';
    if (scheme !== 'tcp' && draw.chance(15)) rule['addresses'] = ['10.0.0.0/8'];
    return rule;
  });
  return JSON.stringify({ ...(draw.chance(10) ? { mode: 'observe' } : {}), rules });
}

/** Generated rules may be ones that can never decide, which is refused: then others are drawn. */
function drawn<T>(draw: Draw, make: (draw: Draw) => T | undefined): T {
  for (let tries = 0; tries < 200; tries += 1) {
    const made = make(draw);
    if (made !== undefined) return made;
  }
  return assert.fail('nothing sound was drawn');
}

function soundBase(draw: Draw, isCeiling: boolean): ReturnType<typeof policyOf> {
  return drawn(draw, () => {
    try {
      return policyOf(baseText(draw, isCeiling), { credentials: ['npm'] });
    } catch {
      return undefined;
    }
  });
}

interface Drawn {
  readonly base: Policy;
  readonly steps: readonly NarrowingStep[];
}

function drawChain(draw: Draw): Drawn {
  const main = soundBase(draw, false);
  const ceiling = draw.chance(40) ? [{ name: 'ceiling', policy: soundBase(draw, true) }] : [];
  const base = new BoundPolicies('v', [...ceiling, { name: 'main', policy: main }]);
  const steps = Array.from({ length: 1 + draw.below(depthMax) }, (_, depth) =>
    drawn(draw, () => {
      const read = parseNarrowing({ file: 'p', text: narrowingText(draw) });
      return 'policy' in read ? { sessionId: `child-${depth}`, policy: read.policy } : undefined;
    }),
  );
  return { base, steps };
}

/** What operators granted, to the root and to a session below it, and to all of the principal. */
const granted = [{ sessionId: 'root' }, { sessionId: 'child-0' }, { principalId: 'issuer|subject' }].map(
  (subject, index) =>
    ({
      id: `g${index}`,
      subject,
      scheme: 'https',
      host: hosts[index] ?? '',
      port: 443,
      endsMs: nowMs * 2,
    }) as const,
);

function sessionAt(depth: number, steps: readonly NarrowingStep[]): Principal {
  if (depth === 0) return principal({ sessionId: 'root' });
  const own = steps.slice(0, depth);
  return principal({
    sessionId: own.at(-1)?.sessionId ?? '',
    narrowed: { rootId: 'root', steps: own },
  });
}

/** What is given by `child` beyond `parent`, in words; undefined: nothing. */
function beyond(child: AllowDecision, parent: AllowDecision): string | undefined {
  if (child.handling !== parent.handling) return 'another handling';
  const given = new Set(parent.inject.map(({ credential }) => credential));
  if (child.inject.some(({ credential }) => !given.has(credential))) return 'a credential';
  if (child.addresses.some((network) => !parent.addresses.includes(network))) return 'a network';
  const { bodyBytes: own = Infinity, ...counted } = child.limits;
  const { bodyBytes: bound = Infinity, ...countedAbove } = parent.limits;
  if (own > bound) return 'a larger body';
  if (JSON.stringify(counted) !== JSON.stringify(countedAbove)) return 'other limits of the root';
  if (child.rule.name !== parent.rule.name || child.budget !== parent.budget)
    return 'another budget of the root';
  if (parent.bodies === 'where-defined' && child.bodies !== 'where-defined') return 'a body';
  if (child.isByDestination === true && parent.isByDestination !== true)
    return 'requests that nobody decided';
  const above = parent.narrowed ?? [];
  const kept = above.every((one, at) => JSON.stringify(child.narrowed?.[at]) === JSON.stringify(one));
  return kept ? undefined : 'fewer limits of those above';
}

const isAllow = (decision: Decision): decision is AllowDecision => decision.effect === 'allow';

test('no session may what the one that made it may not, nor gets more, in random chains', () => {
  const counts = { allowed: 0, taken: 0, asked: 0 };
  for (let seed = 1; seed <= chains; seed += 1) {
    const draw = new Draw(seed);
    const { base, steps } = drawChain(draw);
    const policy = new GrantedPolicy(new NarrowedPolicy(base), granted, {});
    for (const asked of world) {
      let parent = policy.decide(sessionAt(0, steps), asked, nowMs);
      // Of the root alone, and of each policy alone: who asks all of them in no order comes to the same.
      let isAllowed = isAllow(base.decide(sessionAt(0, steps), asked, nowMs));
      const handling = isAllow(parent) ? parent.handling : undefined;
      for (const [at, step] of steps.entries()) {
        const session = sessionAt(at + 1, steps);
        const child = policy.decide(session, asked, nowMs);
        const alone = step.policy.decide(session, asked, nowMs);
        isAllowed &&= isAllow(alone) && alone.handling === handling;
        const where = `seed ${seed}, ${at + 1} below the root: ${JSON.stringify(asked)}`;
        assert.equal(isAllow(child), isAllowed, where);
        counts.asked += 1;
        if (isAllow(child)) {
          assert.ok(isAllow(parent), `${where} is allowed, and not to its parent`);
          assert.equal(beyond(child, parent), undefined, where);
          assert.equal(child.narrowed?.length, at + 1, where);
          assert.equal(child.narrowed.at(-1)?.sessionId, step.sessionId, where);
          counts.allowed += 1;
        } else {
          // Nothing that is granted later opens it.
          assert.ok(!child.rule.name.startsWith('access-grant'), where);
          if (isAllow(parent)) counts.taken += 1;
        }
        parent = child;
      }
    }
  }
  // Chains that leave all, or nothing, would show nothing.
  assert.ok(counts.allowed > counts.asked / 100, JSON.stringify(counts));
  assert.ok(counts.taken > counts.asked / 100, JSON.stringify(counts));
});

test('a policy that could give more is refused, whatever else it says', () => {
  const more: Readonly<Record<string, unknown>> = {
    inject: 'npm',
    addresses: '10.0.0.0/8',
    trust: 'inner',
    homeCredentials: 'write',
    logIn: 'github',
    trace: 'continue',
    scrub: { quietMs: 1 },
    capture: { bodies: true },
    leaks: false,
    mode: 'observe',
    when: 'true',
    for: { a: 'b' },
    require: 'jailed',
    expires: '2031-01-01T00:00:00Z',
    include: 'all',
  };
  for (const [key, value] of Object.entries(more)) {
    const text = JSON.stringify({ rules: [{ name: 'one', hosts: 'a.test', [key]: value }] });
    const read = parseNarrowing({ file: 'p', text });
    assert.ok('problems' in read, key);
    assert.match(read.problems.map(formatProblem).join('\n'), new RegExp(key), key);
  }
  for (const key of ['mode', 'for', 'require', 'requestFields', 'leaks', 'groups']) {
    const values: Readonly<Record<string, unknown>> = {
      mode: 'observe',
      for: { a: 'b' },
      require: 'jailed',
      requestFields: { refused: ['x-a'] },
      leaks: false,
      groups: { all: { hosts: 'a.test' } },
    };
    const text = JSON.stringify({ [key]: values[key], rules: [{ name: 'one', hosts: 'a.test' }] });
    assert.ok('problems' in parseNarrowing({ file: 'p', text }), key);
  }
});
