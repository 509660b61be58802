// A grant for pushes: it opens the refs that it names, in the repository that was asked for, and nothing beside.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderList } from '../../src/http/header-list.ts';
import { type AccessGrant, grantCovers } from '../../src/policy/access-grant.ts';
import { BoundPolicies } from '../../src/policy/bound-policies.ts';
import { stepsFor } from '../../src/policy/decision-work.ts';
import type { AccessRequest, Decision, Policy } from '../../src/policy/decision.ts';
import type { RefUpdate } from '../../src/policy/git-commands.ts';
import { GrantedPolicy } from '../../src/policy/granted-policy.ts';
import { MatchingWork } from '../../src/policy/matching-work.ts';
import { pushedRepository, pushGrant } from '../../src/policy/push-grant.ts';
import { nowMs, policyOf, principal } from './fixture.ts';

const base = policyOf(`
rules:
  - { name: no-secrets, hosts: git.example.com, deny: never, paths: [/acme/secret.git/**] }
  - { name: no-main, hosts: git.example.com, deny: never, git: { operations: push, refs: refs/heads/main } }
`);
const push = pushGrant('acme/app', ['refs/heads/agent/**', 'refs/tags/v*']);
assert.ok(typeof push !== 'string');
const grant: AccessGrant = {
  id: 'g1',
  subject: { sessionId: 'session' },
  scheme: 'https',
  host: 'git.example.com',
  port: 443,
  push,
  endsMs: nowMs + 1000,
};

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly pushed?: readonly RefUpdate[];
  readonly pushOptions?: readonly string[];
}

function decide(
  { method = 'POST', path = '/acme/app.git/git-receive-pack', query = '', ...more }: Asked,
  under: Policy = base,
): Decision {
  const access: AccessRequest = {
    depth: 'request',
    destination: { scheme: 'https', host: 'git.example.com', port: 443 },
    method,
    path,
    query,
    headers: new HeaderList(),
    ...more,
  };
  return new GrantedPolicy(under, [grant], {}).decide(principal(), access, nowMs);
}

const verdict = (asked: Asked): string => {
  const decision = decide(asked);
  return `${decision.effect} ${decision.rule.name}${decision.awaits === undefined ? '' : ' then the refs'}`;
};
const updates = (...refs: readonly string[]): readonly RefUpdate[] =>
  refs.map((ref) => ({ ref, change: 'update' }));
const allowed = 'allow access-grant:g1';
const denied = 'deny default-deny';

test('a push is allowed once its refs are read and each of them is one of the grant', () => {
  const refs = '/acme/app.git/info/refs';
  const table: readonly (readonly [Asked, string])[] = [
    [{ method: 'GET', path: refs, query: '?service=git-receive-pack' }, allowed],
    [{ path: '/acme/app/git-receive-pack', pushed: updates('refs/heads/agent/x') }, allowed],
    [{}, `${allowed} then the refs`],
    [{ pushed: updates('refs/heads/agent/x', 'refs/heads/agent/y/z', 'refs/tags/v1') }, allowed],
    [{ pushed: [{ ref: 'refs/heads/agent/x', change: 'create' }] }, allowed],
    // Others, also among those that fit.
    [{ pushed: updates('refs/heads/other') }, denied],
    [{ pushed: updates('refs/heads/agent/x', 'refs/heads/other') }, denied],
    [{ pushed: updates('refs/heads/Agent/x') }, denied],
    [{ pushed: updates('refs/heads/agent') }, denied],
    [{ pushed: updates('refs/tags/v1/x') }, denied],
    [{ pushed: [{ ref: 'refs/heads/agent/x', change: 'delete' }] }, denied],
    [{ pushed: updates('refs/heads/agent/x'), pushOptions: ['ci.skip'] }, denied],
    // What a rule denies stays denied.
    [{ pushed: updates('refs/heads/main') }, 'deny no-main'],
    [{ pushed: updates('refs/heads/agent/x', 'refs/heads/main') }, 'deny no-main'],
  ];
  for (const [asked, expected] of table) assert.equal(verdict(asked), expected, JSON.stringify(asked));
});

test('nothing but a push to that very repository is opened, to the letter', () => {
  const pushed = updates('refs/heads/agent/x');
  const fetch = '?service=git-upload-pack';
  const push = '?service=git-receive-pack';
  for (const asked of [
    { method: 'GET', path: '/acme/app.git/info/refs', query: fetch },
    { method: 'GET', path: '/acme/app.git/info/refs', query: `${push}&x=1` },
    { method: 'GET', path: '/acme/app.git/info/refs', query: '?service=git%2Dreceive-pack' },
    { method: 'GET', path: '/acme/app.git/info/refs' },
    { method: 'HEAD', path: '/acme/app.git/info/refs', query: push },
    { path: '/acme/app.git/git-upload-pack', pushed },
    { path: '/acme/app.git/git-receive-pack', query: '?x', pushed },
    { path: '/acme/app.git/git-receive-pack/', pushed },
    { path: '/acme/app.git/GIT-RECEIVE-PACK', pushed },
    { path: '/acme/app.git/x/git-receive-pack', pushed },
    { path: '/acme/app2.git/git-receive-pack', pushed },
    { path: '/acme/App.git/git-receive-pack', pushed },
    { path: '/acme/app.git.git/git-receive-pack', pushed },
    { path: '/acme%2Fapp.git/git-receive-pack', pushed },
    { path: '/acme/app.git;x/git-receive-pack', pushed },
    { path: '//acme/app.git/git-receive-pack', pushed },
    { path: '/other/..;/acme/app.git/git-receive-pack', pushed },
    { method: 'GET', path: '/acme/app' },
    { method: 'GET', path: '/acme/app.git' },
    { method: 'DELETE', path: '/acme/app.git/git-receive-pack' },
    { method: 'PUT', path: '/acme/app.git/git-receive-pack', pushed },
  ])
    assert.equal(decide(asked).effect, 'deny', JSON.stringify(asked));
});

test('who pushes other refs is told what the grant is for, and the denial stays that of no rule', () => {
  const decision = decide({ pushed: updates('refs/heads/other') });
  assert.equal(decision.effect, 'deny');
  assert.equal(decision.rule.name, 'default-deny');
  assert.match(
    decision.reason,
    /The grant g1 allows a push that is no more than this: push; refs refs\/heads\/agent\/\*\*, refs\/tags\/v\*; changes create, update\.$/,
  );
});

/** As many grants, each of ten patterns that a long ref is tried against again and again. */
const slowGrants = (count: number): readonly AccessGrant[] => {
  const slow = pushGrant(
    'acme/app',
    Array.from({ length: 10 }, (_, n) => `refs/heads/*${'a'.repeat(200)}b${n}*`),
  );
  assert.ok(typeof slow !== 'string');
  return Array.from({ length: count }, (_, n) => ({ ...grant, id: `slow${n}`, push: slow }));
};

test('what grants cost a decision has a bound: beyond it a push is not covered, and told why', () => {
  const access = (pushed: readonly RefUpdate[]): AccessRequest => ({
    depth: 'request',
    destination: { scheme: 'https', host: 'git.example.com', port: 443 },
    method: 'POST',
    path: '/acme/app.git/git-receive-pack',
    query: '',
    headers: new HeaderList(),
    pushed,
  });
  const long = access(updates(`refs/heads/${'a'.repeat(20_000)}`));
  const fitting = access(updates(`refs/heads/agent/${'a'.repeat(20_000)}`));
  const work = new MatchingWork(stepsFor(long));
  const asking = { principal: principal(), nowMs, work };
  const grants = slowGrants(2);
  for (const one of grants) assert.equal(grantCovers(one, long, asking), false);
  assert.ok(work.isSpent);
  // What is asked for beyond it is counted and not done: by one grant, for the name before each of its patterns.
  const asked = 10 * 20_011;
  assert.ok(work.steps < stepsFor(long) + asked, `${work.steps} steps`);

  const policy = new GrantedPolicy(base, grants, {});
  const decision = policy.decide(principal(), long, nowMs);
  assert.ok(decision.effect === 'deny');
  assert.equal(decision.rule.name, 'work-limit');
  assert.equal(decision.isTooCostly, true);
  assert.match(
    decision.reason,
    /^No rule allows the push, and its refs are too long to be compared with the grants for git\.example\.com/,
  );
  // A long ref that a grant names is taken, and one that stands behind too much work is not.
  assert.equal(new GrantedPolicy(base, [grant], {}).decide(principal(), fitting, nowMs).effect, 'allow');
  const behind = new GrantedPolicy(base, [...grants, grant], {});
  assert.equal(behind.decide(principal(), fitting, nowMs).rule.name, 'work-limit');
});

test('a ceiling bounds a grant for refs as any other, also by the refs', () => {
  const ceiling = policyOf(
    'rules: [{ name: some, hosts: git.example.com, git: { repository: acme/app, operations: push, refs: refs/heads/agent/a/** } }]',
  );
  const under = new BoundPolicies('v', [
    { name: 'main', policy: policyOf('rules: []') },
    { name: 'ceiling', policy: ceiling },
  ]);
  const of = (...refs: readonly string[]): string => {
    const { effect, rule } = decide({ pushed: updates(...refs) }, under);
    return `${effect} ${rule.name}`;
  };
  assert.equal(of('refs/heads/agent/a/x'), allowed);
  assert.equal(of('refs/heads/agent/b'), 'deny ceiling-deny');
  assert.equal(of('refs/heads/other'), 'deny ceiling-deny');
  const unread = decide({}, under);
  assert.equal(unread.awaits, 'git-commands');
});

test('the repository is that of a URL without a method, or of what a push asks; nothing else is about a push', () => {
  for (const [method, path, expected] of [
    [undefined, '/acme/app', 'acme/app'],
    [undefined, '/acme/app.git', 'acme/app'],
    [undefined, '/acme/app/', 'acme/app'],
    [undefined, '/acme/app.git/info/refs', 'acme/app'],
    ['POST', '/acme/app.git/git-receive-pack', 'acme/app'],
    ['GET', '/acme/app.git/info/refs', 'acme/app'],
    // A name of a workload's own is no pattern.
    [undefined, '/acme/**', 'acme/**'],
    ['GET', '/acme/app', undefined],
    ['POST', '/acme/app', undefined],
    ['POST', '/acme/app.git/git-upload-pack', undefined],
    ['GET', '/acme/app.git/git-receive-pack', undefined],
    [undefined, '/acme%2Fapp', undefined],
    [undefined, '/acme;x/app', undefined],
    [undefined, '/', undefined],
    [undefined, undefined, undefined],
  ] as const)
    assert.equal(pushedRepository({ method, path }), expected, `${method} ${path}`);
  const named = pushGrant('acme/**', ['refs/heads/x']);
  assert.ok(typeof named !== 'string');
  const policy = new GrantedPolicy(base, [{ ...grant, push: named }], {});
  const access: AccessRequest = {
    depth: 'request',
    destination: { scheme: 'https', host: 'git.example.com', port: 443 },
    method: 'POST',
    path: '/acme/other.git/git-receive-pack',
    query: '',
    headers: new HeaderList(),
    pushed: updates('refs/heads/x'),
  };
  assert.equal(policy.decide(principal(), access, nowMs).effect, 'deny');
});

test('a ref that is no pattern is refused with what to write', () => {
  assert.match(String(pushGrant('acme/app', ['main'])), /write refs\/heads\/main for a branch/);
  assert.equal(typeof pushGrant('acme/app', ['refs/heads/**/x']), 'string');
});
