import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GrantedPolicy } from '../../src/policy/granted-policy.ts';
import type { RequestAccess } from '../../src/policy/decision.ts';
import type { RefChange } from '../../src/policy/git-commands.ts';
import { access, nowMs, policyOf, principal, problemsOf, verdict } from './fixture.ts';

const origin = 'https://a.example.com';
const post = `POST ${origin}/acme/app.git/git-receive-pack`;

/** A push whose commands are read: `refs/heads/a`, `+refs/heads/new`, `-refs/heads/old`. */
function pushOf(refs: string, request = post): RequestAccess {
  const changes: Readonly<Record<string, RefChange>> = { '+': 'create', '-': 'delete' };
  const pushed = refs.split(' ').map((text) => ({
    ref: text.replace(/^[+-]/, ''),
    change: changes[text.charAt(0)] ?? ('update' as const),
  }));
  const asked = access(request);
  assert.ok(asked.depth === 'request');
  return { ...asked, pushed };
}

const rules = (...lines: readonly string[]): string =>
  `rules:\n${lines.map((line, i) => `  - { name: r${i}, hosts: a.example.com, ${line} }`).join('\n')}`;
const decided = (text: string, asked: RequestAccess): string => {
  const { effect, rule } = policyOf(text).decide(principal(), asked, nowMs);
  return `${effect} ${rule.name}`;
};

describe('a push is allowed if one rule fits all of its refs', () => {
  const text = rules(
    'git: { repository: acme/app, operations: push, refs: refs/heads/agent/** }',
    'git: { repository: acme/app, operations: push, refs: refs/tags/*, changes: create }',
    'git: { repository: acme/app, operations: push, refs: refs/heads/old/*, changes: [delete] }',
  );
  const rows: readonly [refs: string, expected: string][] = [
    ['refs/heads/agent/a', 'allow r0'],
    ['+refs/heads/agent/a refs/heads/agent/b/c', 'allow r0'],
    ['-refs/heads/agent/a', 'deny default-deny'],
    ['refs/heads/agent', 'deny default-deny'],
    ['refs/heads/Agent/a', 'deny default-deny'],
    ['refs/heads/main', 'deny default-deny'],
    ['refs/heads/agent/a refs/heads/main', 'deny default-deny'],
    ['+refs/tags/v1', 'allow r1'],
    ['refs/tags/v1', 'deny default-deny'],
    ['refs/heads/agent/a +refs/tags/v1', 'deny default-deny'],
    ['-refs/heads/old/a', 'allow r2'],
  ];
  for (const [refs, expected] of rows) {
    test(refs, () => {
      assert.equal(decided(text, pushOf(refs)), expected);
    });
  }
});

describe('a rule that allows is for git to the letter', () => {
  const text = rules('git: { repository: acme/app }');
  const rows: readonly [request: string, expected: string][] = [
    ['POST /acme/app.git/git-upload-pack', 'allow r0'],
    ['POST /acme/app/git-upload-pack', 'allow r0'],
    ['POST /acme/app.git/git-receive-pack', 'allow r0'],
    ['GET /acme/app.git/git-upload-pack', 'deny default-deny'],
    ['GET /acme/app.git/info/refs', 'deny default-deny'],
    ['POST /Acme/app.git/git-upload-pack', 'deny default-deny'],
    ['POST /acme/other/git-upload-pack', 'deny default-deny'],
    ['POST /acme/app/issues', 'deny default-deny'],
    ['POST /acme/app.git/info/lfs/objects/batch', 'deny default-deny'],
    ['POST /acme%2Fapp/git-upload-pack', 'deny default-deny'],
  ];
  for (const [request, expected] of rows) {
    test(request, () => {
      assert.equal(verdict(policyOf(text), request.replace(' ', ` ${origin}`)), expected);
    });
  }
  test('a connection is opened, for a request may fit', () => {
    assert.equal(verdict(policyOf(text), origin), 'allow r0 intercept');
  });
});

describe('a rule that denies takes all that a server could take for git', () => {
  const text = rules('description: all', 'git: { repository: acme/**, operations: push }, deny: true');
  const rows: readonly [request: string, expected: string][] = [
    ['POST /acme/app.git/git-receive-pack', 'deny r1'],
    ['GET /acme/app.git/info/refs', 'allow r0'],
    ['LOCK /acme/app.git/info/refs', 'deny r1'],
    ['POST /ACME/app.git/git-receive-pack/', 'deny r1'],
    ['POST /acme%2Fapp/git-receive-pack', 'deny r1'],
    ['POST /acme/app/info/lfs/objects/batch', 'deny r1'],
    ['POST /acme/app/git-upload-pack', 'allow r0'],
    ['POST /other/app/git-receive-pack', 'allow r0'],
  ];
  for (const [request, expected] of rows) {
    test(request, () => {
      assert.equal(verdict(policyOf(text), request.replace(' ', ` ${origin}`)), expected);
    });
  }
});

describe('a rule that denies refs waits for the commands, and one ref is enough', () => {
  const text = rules('description: all', 'git: { operations: push, refs: refs/heads/main }, deny: true');
  const loose = `PUT ${origin}/acme/app.git/GIT-receive-pack/`;
  for (const request of [post, loose]) {
    test(request, () => {
      const first = policyOf(text).decide(principal(), access(request), nowMs);
      assert.deepEqual([first.effect, first.rule.name, first.awaits], ['allow', 'r0', 'git-commands']);
      assert.equal(decided(text, pushOf('refs/heads/a', request)), 'allow r0');
      assert.equal(decided(text, pushOf('refs/heads/a refs/heads/MAIN', request)), 'deny r1');
      assert.equal(decided(text, pushOf('-refs/heads/main', request)), 'deny r1');
    });
  }
  test('what a person granted waits for them as well', () => {
    const closed = policyOf(rules('git: { operations: push, refs: refs/heads/main }, deny: true'));
    const granted = new GrantedPolicy(
      closed,
      [
        {
          id: '1',
          subject: { sessionId: 'session' },
          scheme: 'https',
          host: 'a.example.com',
          port: 443,
          endsMs: nowMs + 1,
        },
      ],
      {},
    );
    const first = granted.decide(principal(), access(post), nowMs);
    assert.deepEqual([first.effect, first.awaits], ['allow', 'git-commands']);
    assert.equal(granted.decide(principal(), pushOf('refs/heads/main'), nowMs).rule.name, 'r0');
    assert.equal(granted.decide(principal(), pushOf('refs/heads/a'), nowMs).rule.name, 'access-grant:1');
  });
  test('what observe mode lets through waits for them as well', () => {
    const observing = policyOf(
      `mode: observe\n${rules('mode: enforce, git: { operations: push, refs: refs/heads/main }, deny: true')}`,
    );
    const first = observing.decide(principal(), access(post), nowMs);
    assert.deepEqual([first.effect, first.rule.name, first.awaits], ['allow', 'observe', 'git-commands']);
    assert.equal(observing.decide(principal(), pushOf('refs/heads/a'), nowMs).rule.name, 'observe');
    assert.equal(observing.decide(principal(), pushOf('refs/heads/main'), nowMs).effect, 'deny');
  });
});

test('nothing is waited for where no rule looks at refs', () => {
  const text = rules('git: { repository: acme/app, changes: [create, update, delete], operations: push }');
  assert.equal(policyOf(text).decide(principal(), access(post), nowMs).awaits, undefined);
});

test('the empty list by which git asks whether it may is allowed where a push could be', () => {
  const text = rules('git: { repository: acme/app, operations: push, refs: refs/heads/a }');
  const asked = access(post);
  assert.ok(asked.depth === 'request');
  assert.equal(decided(text, { ...asked, pushed: [] }), 'allow r0');
});

describe('a rule behind one that covers it is dead', () => {
  const rows: readonly [first: string, second: string, isDead: boolean][] = [
    ['git: { repository: acme/** }', 'git: { repository: acme/app }', true],
    ['description: all', 'git: { repository: acme/app }', true],
    ['git: { repository: acme/app }', 'description: all', false],
    ['git: { repository: acme/app, operations: fetch }', 'git: { repository: acme/app }', false],
    [
      'git: { repository: acme/app, operations: [fetch, push], refs: refs/heads/** }',
      'git: { repository: acme/app, operations: push, refs: refs/heads/a/* }',
      true,
    ],
    [
      'git: { repository: acme/app, operations: push, refs: refs/heads/** }',
      'git: { repository: acme/app, operations: push, refs: refs/heads/a/*, changes: delete }',
      false,
    ],
    [
      'git: { repository: acme/app, operations: push, refs: refs/heads/a }',
      'git: { repository: acme/app, operations: push }',
      false,
    ],
  ];
  for (const [first, second, isDead] of rows) {
    test(`${first}, ${second}`, () => {
      const problems = problemsOf(rules(first, second));
      assert.equal(
        problems.some((one) => one.includes('can never decide')),
        isDead,
        problems.join(),
      );
    });
  }
});

test('the workload is told what it may push, the operator why the rule does not fit', () => {
  const text = rules('git: { repository: acme/app, operations: push, refs: [refs/heads/agent/**] }');
  const decision = policyOf(text).decide(principal(), pushOf('refs/heads/main'), nowMs);
  assert.ok(decision.effect === 'deny');
  assert.equal(
    decision.reason,
    'No rule allows a push of refs/heads/main to https://a.example.com/acme/app. The rule r0 allows pushes that create or update refs/heads/agent/**, and nothing else.',
  );
  assert.equal(
    decision.operatorReason,
    'No rule matches a push of refs/heads/main to https://a.example.com/acme/app: r0 (policy.yaml:2) is for pushes of other refs (push; repository acme/app; refs refs/heads/agent/**; changes create, update).',
  );
});

test('a rule is found among many of its host', () => {
  const many = Array.from({ length: 40 }, (_, i) => `git: { repository: [acme/app-${i}, team/app-${i}] }`);
  const policy = policyOf(
    rules(
      ...many,
      'git: { repository: deep/**, operations: fetch }',
      'git: { repository: lib/x-*/y }',
      'git: { repository: a/b/c/d/e/f/g/h/i/j/k/l/m/n }',
      'git: { repository: acme/* }',
    ),
  );
  const rows: readonly [path: string, expected: string][] = [
    ['/acme/app-7/git-upload-pack', 'allow r7'],
    ['/acme/app-7.git/git-receive-pack', 'allow r7'],
    ['/team/app-39.git/git-upload-pack', 'allow r39'],
    ['/team/app-40.git/git-upload-pack', 'deny default-deny'],
    ['/deep/a/b/c.git/git-upload-pack', 'allow r40'],
    ['/deep/a.git/git-receive-pack', 'deny default-deny'],
    ['/lib/x-1/y/git-upload-pack', 'allow r41'],
    ['/a/b/c/d/e/f/g/h/i/j/k/l/m/n.git/git-upload-pack', 'allow r42'],
    ['/acme/other.git/git-upload-pack', 'allow r43'],
    ['/acme/app-7.GIT/git-upload-pack', 'allow r43'],
  ];
  for (const [path, expected] of rows) assert.equal(verdict(policy, `POST ${origin}${path}`), expected, path);
  assert.equal(verdict(policy, origin), 'allow r0 intercept');
});

describe('options of a push', () => {
  const text = rules(
    "deny: no merges, git: { operations: push, options: ['merge_request.merge_*', '*.target=main'] }",
    'git: { repository: acme/app, operations: push, refs: refs/heads/plain }',
    "git: { repository: acme/app, operations: push, refs: refs/heads/*, options: [ci.skip, 'merge_request.*', 'title=*'] }",
    "git: { repository: acme/any, operations: push, options: '*' }",
  );
  const rows: readonly [options: readonly string[], expected: string][] = [
    [[], 'allow r2'],
    [['ci.skip'], 'allow r2'],
    [['ci.skip', 'merge_request.create', 'title=a/b'], 'allow r2'],
    [['ci.skip', 'other'], 'deny default-deny'],
    [['CI.skip'], 'deny default-deny'],
    [['ci.skipped'], 'deny default-deny'],
    [['ci.skip', 'merge_request.merge_when_pipeline_succeeds'], 'deny r0'],
    [['ci.skip', 'Merge_Request.Merge_x'], 'deny r0'],
    [['merge_request.target=main'], 'deny r0'],
    [['merge_request.target=other'], 'allow r2'],
  ];
  for (const [pushOptions, expected] of rows)
    test(pushOptions.join(' ') || 'none', () => {
      assert.equal(decided(text, { ...pushOf('refs/heads/a'), pushOptions }), expected);
    });

  test('a rule that names none allows none, and says so', () => {
    const asked = { ...pushOf('refs/heads/plain'), pushOptions: ['ci.skip'] };
    const alone = rules('git: { repository: acme/app, operations: push, refs: refs/heads/plain }');
    const decision = policyOf(alone).decide(principal(), asked, nowMs);
    assert.ok(decision.effect === 'deny');
    assert.match(
      decision.reason,
      /a push of refs\/heads\/plain with the options ci\.skip to .* allows this push with no options \(git push -o\)/,
    );
    assert.match(decision.operatorReason, /is for pushes with other options/);
  });

  test('no rule that allows lets a push go before its options are read, but one with any', () => {
    const everything = 'git: { repository: acme/app, operations: push, changes: [create, update, delete] }';
    const awaits = (rule: string): unknown => {
      const decision = policyOf(rules(rule)).decide(principal(), access(post), nowMs);
      return decision.effect === 'allow' ? decision.awaits : 'denied';
    };
    assert.equal(awaits(everything), undefined);
    assert.equal(awaits(everything.replace(' }', ', options: ci.skip }')), 'git-commands');
    assert.equal(awaits(everything.replace(' }', ", options: '*' }")), undefined);
    assert.equal(awaits('git: { repository: acme/app, operations: push }'), 'git-commands');
  });

  test('a pattern for options costs no more steps than both lengths multiplied', () => {
    const hard = rules(`git: { repository: acme/app, operations: push, options: '*${'a'.repeat(200)}b' }`);
    const pushOptions = ['a'.repeat(10_000)];
    const decision = policyOf(hard).decide(principal(), { ...pushOf('refs/heads/a'), pushOptions }, nowMs);
    assert.equal(decision.effect === 'deny' && decision.isTooCostly, true);
  });

  test('options that are no pattern, or that bound no push, are told', () => {
    assert.match(
      problemsOf(rules("git: { repository: a/b, operations: push, options: '' }")).join(),
      /1 to 256 characters|options/,
    );
    assert.match(
      problemsOf(rules('git: { repository: a/b, operations: fetch, options: ci.skip }')).join(),
      /bounds a push and never a fetch/,
    );
  });
});
