// What a decision may cost: a request picks what rules are matched against, and every other session waits for the response.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HeaderList } from '../../src/http/header-list.ts';
import type { RequestAccess } from '../../src/policy/decision.ts';
import { GrantedPolicy } from '../../src/policy/granted-policy.ts';
import { MatchingWork } from '../../src/policy/matching-work.ts';
import { PathPattern } from '../../src/policy/path-pattern.ts';
import { access, nowMs, policyOf, principal } from './fixture.ts';

/** As many rules for one host as `keys` makes of their numbers. */
function policyWith(keys: (n: number) => string, rules = 400, mode = 'enforce') {
  const lines = Array.from({ length: rules }, (_, n) => `  - { name: r${n}, hosts: a.test, ${keys(n)} }\n`);
  return policyOf(`mode: ${mode}\nrules:\n${lines.join('')}`);
}

function requestTo(path: string, change: Partial<RequestAccess> = {}): RequestAccess {
  const asked = access('GET https://a.test/');
  assert.ok(asked.depth === 'request');
  return { ...asked, path, ...change };
}

const all = Array.from({ length: 1000 }, (_, n) => n);
/** Paths of 50 kB in which the texts of a thousand patterns stand. */
const everySegment = `/${'q'.repeat(42_000)}${all.map((n) => `.x${n}/`).join('')}b/y`;
const everyEnding = `/${'aabababbabaababbb'.repeat(2500)}${all.map((n) => `x${n}.`).join('')}`;
const longName = 'a'.repeat(50_000);

interface Case {
  readonly rules?: number;
  readonly keys: (n: number) => string;
  readonly short: RequestAccess;
  readonly hostile: RequestAccess;
}

const push = (refs: number): Partial<RequestAccess> => ({
  method: 'POST',
  pushed: Array.from({ length: refs }, (_, n) => ({
    ref: `refs/heads/${'a'.repeat(60)}${n}`,
    change: 'create' as const,
  })),
});

const cases: Readonly<Record<string, Case>> = {
  'names inside of segments': {
    keys: (n) => `paths: '/*.x${n}/q{z}?'`,
    short: requestTo('/abc.x1000/b/y'),
    hostile: requestTo(everySegment),
  },
  'sets of states that are never the same': {
    keys: (n) => `paths: '/*a${'{a}?{b}?'.repeat(6)}x${n}.:t'`,
    short: requestTo('/abab'),
    hostile: requestTo(`${everyEnding}/y`),
  },
  'all readings of a path': {
    rules: 40,
    keys: (n) => `deny: yes, paths: '/*.x${n}/q{z}?'`,
    short: requestTo('/abc%40;x//d%3F%2Fe%252Ff%3Bg'),
    hostile: requestTo(`/${'%40;x//d%3F%2Fe%252Ff%3Bg'.repeat(1800)}`),
  },
  'readings that a server could take for git': {
    keys: (n) => `git: { repository: 'r${n}*' }`,
    short: requestTo('/abc%40/info/refs'),
    hostile: requestTo(`/${'%40;x//d%3F%2Fe%252Ff%3Bg'.repeat(1800)}/info/refs`),
  },
  'repositories with stars': {
    keys: (n) => `git: { repository: '*a*aaaaaaaaaaaaaaaaaaaaaab${n}' }`,
    short: requestTo('/aaaa/info/refs', { query: '?service=git-upload-pack' }),
    hostile: requestTo(`/${longName}/info/refs`, { query: '?service=git-upload-pack' }),
  },
  'refs of a push': {
    keys: (n) => `deny: no, git: { repository: r, operations: push, refs: 'refs/heads/*b${n}' }`,
    short: requestTo('/r/git-receive-pack', push(2)),
    hostile: requestTo('/r/git-receive-pack', push(1000)),
  },
  'conditions over a long path': {
    keys: (n) => `when: 'request.path.lowerAscii().lowerAscii().contains("${n}-")'`,
    short: requestTo('/abc'),
    hostile: requestTo(`/${longName}`),
  },
  'conditions over long fields': {
    keys: (n) => `when: 'request.headers["x"].exists(v, v.contains("${n}-"))'`,
    short: requestTo('/abc'),
    hostile: requestTo('/', {
      headers: new HeaderList(Array.from({ length: 199 }, () => ['x', 'a'.repeat(250)])),
    }),
  },
};

for (const [name, { rules, keys, short, hostile }] of Object.entries(cases)) {
  test(`a decision has a bound whatever rules and request are: ${name}`, () => {
    const policy = policyWith(keys, rules);
    // Everything that is made when it is first asked for is made.
    assert.notEqual(policy.decide(principal(), short, nowMs).rule.name, 'work-limit');
    policy.decide(principal(), { ...hostile }, nowMs);
    const start = process.threadCpuUsage();
    const decision = policy.decide(principal(), { ...hostile }, nowMs);
    const { user, system } = process.threadCpuUsage(start);
    assert.deepEqual(
      [decision.effect, decision.rule.name, decision.effect === 'deny' && decision.isTooCostly],
      ['deny', 'work-limit', true],
    );
    // A fortieth of it where nothing else runs; without the bound it was up to 17 s.
    assert.ok(user + system < 80_000, `${(user + system) / 1000} ms`);
  });
}

test('patterns of whole segments are compared with a long path for next to nothing', () => {
  const policy = policyWith((n) => `paths: '/:a/x${n}/:b/y'`, 1000);
  const path = `/${longName}/x1000/b/y`;
  assert.equal(policy.decide(principal(), requestTo(path), nowMs).rule.name, 'default-deny');
  assert.equal(policy.decide(principal(), requestTo(path.replace('x1000', 'x999')), nowMs).rule.name, 'r999');
  const work = new MatchingWork(1_000_000);
  const pattern = PathPattern.parse('/:a/x1/:b/y');
  assert.ok(typeof pattern !== 'string');
  assert.equal(pattern.matches(path, work), false);
  assert.ok(work.steps < 1000, `${work.steps} steps`);
});

test('what could not be judged is let through by no mode and by no grant', () => {
  const { keys, hostile } = cases['names inside of segments'] ?? assert.fail();
  const observing = policyWith(keys, 400, 'observe');
  assert.equal(observing.decide(principal(), hostile, nowMs).rule.name, 'work-limit');
  const grant = {
    id: 'g',
    subject: { sessionId: principal().sessionId },
    scheme: 'https' as const,
    host: 'a.test',
    port: 443,
    endsMs: nowMs + 1000,
  };
  const granted = new GrantedPolicy(policyWith(keys), [grant], {});
  assert.equal(granted.decide(principal(), hostile, nowMs).rule.name, 'work-limit');
});

test('in 5,000 rules of one host a decision compares few, and refuses what would be many', () => {
  const shapes: Readonly<Record<string, readonly [keys: (n: number) => string, path: string]>> = {
    'a name first': [(n) => `paths: '/:owner/repo-${n}/*'`, '/acme/repo-4000/x'],
    'a name beside a text': [(n) => `paths: '/:a.x${n}/:b/y'`, '/q.x4000/b/y'],
    'any beginning': [(n) => `paths: '/*/c${n}'`, '/a/b/c4000'],
    'a claim': [(n) => `when: 'request.port > 0 && claims.team == "t${n}"'`, '/'],
    'a path': [(n) => `when: 'request.path.startsWith("/p${n}/")'`, '/p4000/x'],
  };
  const who = principal({ claims: { team: 't4000' } });
  for (const [shape, [keys, path]] of Object.entries(shapes)) {
    const policy = policyWith(keys, 5000);
    assert.equal(policy.decide(who, requestTo(path), nowMs).rule.name, 'r4000', shape);
    const selected = policy.selectedFor(who, requestTo(path));
    assert.ok(selected <= 2, `${shape}: ${String(selected)} rules are compared`);
  }
  const apart = policyWith((n) => `when: '"v${n}" in request.headers["x-tag"]'`, 5000);
  assert.equal(apart.decide(who, requestTo('/'), nowMs).rule.name, 'work-limit');
});
