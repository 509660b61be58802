import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HeaderList } from '../../src/http/header-list.ts';
import { BoundPolicies } from '../../src/policy/bound-policies.ts';
import type { Policy, Principal, RequestAccess } from '../../src/policy/decision.ts';
import { accessHost, GrantedPolicy } from '../../src/policy/granted-policy.ts';
import { NarrowedPolicy } from '../../src/policy/narrowed-policy.ts';
import { parseNarrowing } from '../../src/policy/parse-narrowing.ts';
import { parsePolicy } from '../../src/policy/parse-policy.ts';
import type { CompiledPolicy } from '../../src/policy/compiled-policy.ts';
import type { Signable } from '../../src/policy/sign-condition.ts';
import type { GitObject } from '../../src/understand/git-object.ts';

const known = { credentials: ['key', 'token'], signingKeys: ['key'] };
const agent = { name: 'Build Agent', email: 'agent@example.com' };
const person = { name: 'Ada', email: 'ada@example.com' };
const commit: GitObject = { kind: 'commit', hash: 'sha1', author: agent, committer: agent };
const tag: GitObject = { kind: 'tag', hash: 'sha1', tag: 'v1.0', committer: agent };
const rule = (sign: string, more = 'inject: key'): string =>
  `{ name: signed, sign: { ${sign} }${more === '' ? '' : `, ${more}`} }`;
const ofAgent = "committer: 'Build Agent <agent@example.com>'";

function policyOf(...rules: readonly string[]): CompiledPolicy {
  const result = parsePolicy([{ file: 'p.yaml', text: `rules: [${rules.join(', ')}]` }], known);
  if ('problems' in result) throw new Error(result.problems.map(({ message }) => message).join('\n'));
  return result.policy;
}

function problemsOf(...rules: readonly string[]): string {
  const result = parsePolicy([{ file: 'p.yaml', text: `rules: [${rules.join(', ')}]` }], known);
  return 'problems' in result ? result.problems.map(({ message }) => message).join('\n') : '';
}

const principal: Principal = { id: 'i|s', sessionId: 's', claims: { sub: 's' }, posture: [] };

function accessOf(signs?: Signable): RequestAccess {
  return {
    depth: 'request',
    destination: { scheme: 'https', host: accessHost, port: 443 },
    method: 'POST',
    path: '/sign',
    query: '',
    headers: new HeaderList(),
    ...(signs === undefined ? {} : { signs }),
  };
}

const effectOf = (policy: Policy, signs?: Signable, who = principal): string =>
  policy.decide(who, accessOf(signs), 0).effect;

test('a rule signs commits of its committer, with its key, and nothing else', () => {
  const policy = policyOf(rule(ofAgent));
  const decision = policy.decide(principal, accessOf(commit), 0);
  assert.equal(decision.effect, 'allow');
  assert.deepEqual(decision.effect === 'allow' && decision.inject, [{ credential: 'key' }]);
  assert.equal(effectOf(policy, { ...commit, committer: person }), 'deny');
  assert.equal(effectOf(policy, { ...commit, author: person }), 'deny');
  assert.equal(effectOf(policy, tag), 'deny');
  assert.equal(effectOf(policy), 'deny', 'it allows no request');
  assert.deepEqual(policy.signing(principal), { credential: 'key', objects: ['commit'], automatic: [] });
});

test('author, tags and stars say who else, and a star stays in its part', () => {
  const policy = policyOf(
    rule(`objects: [commit, tag], committer: '* <*@example.com>', author: '* <*>', tags: v*`),
  );
  assert.equal(effectOf(policy, { ...commit, author: { name: 'X', email: 'x@example.net' } }), 'allow');
  assert.equal(
    effectOf(policy, { ...commit, committer: { name: 'a@example.com', email: 'x@example.net' } }),
    'deny',
  );
  assert.equal(effectOf(policy, tag), 'allow');
  assert.equal(effectOf(policy, { ...tag, tag: 'nightly' }), 'deny');
});

test('a rule that denies somebody is not got round by capitals, and one that allows takes letters as they are', () => {
  const noAda = "{ name: no-ada, sign: { committer: '* <Ada@example.com>' }, deny: not her }";
  const noAuthor = "{ name: no-ada, sign: { author: 'Ada <*>' }, deny: not her }";
  const anybody = rule(`objects: [commit, tag], committer: '* <*>'`);
  for (const email of ['ada@example.com', 'ADA@Example.COM']) {
    const shouted = { name: 'aDA', email };
    const objects: readonly GitObject[] = [
      { ...commit, committer: shouted },
      { ...tag, committer: shouted },
    ];
    for (const object of objects) assert.equal(effectOf(policyOf(noAda, anybody), object), 'deny');
    assert.equal(effectOf(policyOf(noAuthor, anybody), { ...commit, author: shouted }), 'deny');
    assert.equal(effectOf(policyOf(noAda, anybody), commit), 'allow');
  }
  const shouted = { name: 'Build Agent', email: 'Agent@example.com' };
  assert.equal(effectOf(policyOf(rule(ofAgent)), { ...commit, committer: shouted }), 'deny');
});

test('what allows every host signs nothing, and what denies every host denies signatures too', () => {
  const open = "{ name: open, hosts: '*', dangerouslyAllowWideHosts: true }";
  assert.equal(effectOf(policyOf(open), commit), 'deny');
  assert.equal(
    effectOf(policyOf("{ name: closed, hosts: '*', for: { sub: s }, deny: true }", rule(ofAgent)), commit),
    'deny',
  );
  const noPosts = "{ name: no-posts, hosts: '*', methods: POST, for: { sub: s }, deny: true }";
  assert.equal(effectOf(policyOf(noPosts, rule(ofAgent)), commit), 'allow');
  const noTags = '{ name: no-tags, sign: { objects: tag }, deny: no tags }';
  const both = policyOf(noTags, rule(`objects: [commit, tag], ${ofAgent}`));
  assert.deepEqual([effectOf(both, tag), effectOf(both, commit)], ['deny', 'allow']);
});

test('a ceiling and a policy that narrows have to sign it too', () => {
  const own = policyOf(rule(`objects: [commit, tag], ${ofAgent}, automatic: true`));
  const under = (ceiling: CompiledPolicy): Policy =>
    new BoundPolicies('1', [
      { name: 'ceiling', policy: ceiling },
      { name: 'main', policy: own },
    ]);
  const within = under(policyOf(rule("committer: '* <*@example.com>'")));
  assert.deepEqual([effectOf(within, commit), effectOf(within, tag)], ['allow', 'deny']);
  assert.deepEqual(within.signing(principal), {
    credential: 'key',
    objects: ['commit'],
    automatic: ['commit'],
  });
  assert.equal(effectOf(under(policyOf('{ name: web, hosts: web.test }')), commit), 'deny');

  const narrowedBy = (text: string): Principal => {
    const result = parseNarrowing({ file: 'n.yaml', text });
    if ('problems' in result) throw new Error(result.problems.map(({ message }) => message).join('\n'));
    const steps = [{ sessionId: 'child', policy: result.policy }];
    return { ...principal, sessionId: 'child', narrowed: { rootId: 's', steps } };
  };
  const narrowed = new NarrowedPolicy(own);
  const some = narrowedBy(`rules: [${rule("committer: '* <*>'", '')}]`);
  const none = narrowedBy('rules: [{ name: web, hosts: web.test }]');
  assert.deepEqual([effectOf(narrowed, commit, some), effectOf(narrowed, tag, some)], ['allow', 'deny']);
  assert.equal(effectOf(narrowed, commit, none), 'deny');
  assert.equal(narrowed.signing(none), undefined);
});

test('what the gateway serves to all and what observes opens no signature', () => {
  const base = policyOf('{ name: web, hosts: web.test }');
  assert.equal(effectOf(new GrantedPolicy(base, [], {}), commit), 'deny');
  const observing = parsePolicy([{ file: 'p.yaml', text: 'mode: observe\nrules: []' }], known);
  assert.ok('policy' in observing);
  const decision = observing.policy.decide(principal, accessOf(commit), 0);
  assert.deepEqual(decision.effect === 'allow' && [decision.observed, decision.inject], ['default-deny', []]);
});

test('what a rule with sign cannot keep is an error that says what to write', () => {
  for (const [text, said] of [
    [rule('objects: commit'), /does not say who commits/],
    [rule(ofAgent, ''), /kind signing-key/],
    [rule(ofAgent, 'inject: token'), /token is of another kind/],
    ['{ name: web, hosts: web.test, inject: key }', /it goes with "sign"/],
    [rule(ofAgent, 'inject: key, hosts: web.test'), /"hosts" says nothing of/],
    [rule(ofAgent, "inject: key, when: 'true'"), /"when" says nothing of/],
    [rule(ofAgent, 'inject: key, limits: { bytesPerSession: 1MB }'), /requests are counted alone/],
    [rule(`${ofAgent}, tags: v1`), /signs no tags/],
    [rule("committer: 'agent@example.com'"), /write a name and an e-mail address/],
    ['{ name: none, sign: { objects: tag, automatic: true }, deny: true }', /has no meaning/],
  ] as const)
    assert.match(problemsOf(text), said, text);
});

const hostKey = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'a'.repeat(43)}`;
const atServer = (keys = `hostKeys: '${hostKey}', users: [a, b]`): string =>
  `logIn: { server: s.test, ${keys} }`;

test('a session is told that it has an agent of SSH, and what narrows it leaves what both have', () => {
  const known = { credentials: ['key', 'own'], logInKeys: ['own'] };
  const text = `rules: [{ name: s, sign: { ${atServer()} }, inject: own }]`;
  const result = parsePolicy([{ file: 'p.yaml', text }], known);
  assert.ok(!('problems' in result), JSON.stringify(result));
  const { policy } = result;
  assert.deepEqual(policy.signing(principal), {
    credential: undefined,
    objects: [],
    automatic: [],
    agent: { credentials: ['own'], servers: [{ server: 's.test', hostKey }] },
  });
  const logIn = (user: string, key = 'own'): Signable => ({
    kind: 'log-in',
    user,
    hostKey,
    credentials: [key],
  });
  assert.equal(effectOf(policy, logIn('a')), 'allow');
  assert.equal(effectOf(policy, logIn('c')), 'deny');
  assert.equal(effectOf(policy, logIn('a', 'other')), 'deny');
  const narrowing = parseNarrowing({
    file: 'n.yaml',
    text: `rules: [{ name: n, sign: { ${atServer(`hostKeys: '${hostKey}', users: a`)} } }]`,
  });
  assert.ok('policy' in narrowing, JSON.stringify(narrowing));
  const steps = [{ sessionId: 'child', policy: narrowing.policy }];
  const child: Principal = { ...principal, sessionId: 'child', narrowed: { rootId: 's', steps } };
  const both = ['a', 'b'].map((user) => effectOf(new NarrowedPolicy(policy), logIn(user), child));
  assert.deepEqual(both, ['allow', 'deny']);
});

test('a rule for the agent of SSH says which server, as whom, and has a key for that alone', () => {
  const known = {
    credentials: ['key', 'own', 'hashes'],
    signingKeys: ['key'],
    logInKeys: ['own'],
    hashKeys: ['hashes'],
  };
  const problems = (sign: string, inject = 'own'): string => {
    const text = `rules: [{ name: s, sign: { ${sign} }, inject: ${inject} }]`;
    const result = parsePolicy([{ file: 'p.yaml', text }], known);
    return 'problems' in result ? result.problems.map(({ message }) => message).join('\n') : '';
  };
  assert.equal(problems(atServer()), '');
  assert.equal(problems('hashes: git', 'hashes'), '');
  assert.match(problems(atServer('users: a')), /which server it is/);
  assert.match(problems(atServer(`hostKeys: '${hostKey}'`)), /as whom/);
  assert.match(problems(atServer(), 'key'), /"sign\.logIn" needs one of kind agent-key with use: log-in/);
  assert.match(problems(atServer(), 'hashes'), /agent-key with use: log-in/);
  assert.match(problems('hashes: git'), /agent-key with use: hashes/);
  assert.match(problems(ofAgent), /needs one of kind signing-key/);
  assert.match(problems(`${atServer()}, hashes: git`), /two rules/);
  assert.match(problems(`${atServer()}, ${ofAgent}`), /an agent of SSH sees none/);
  assert.match(problems('hashes: file', 'hashes'), /write hashes: git/);
  const put = parsePolicy(
    [{ file: 'p.yaml', text: 'rules: [{ name: r, hosts: a.test, inject: own }]' }],
    known,
  );
  assert.match(JSON.stringify(put), /kind agent-key, which is put on no request/);
});
