import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import type { CompiledPolicy } from '../../../src/policy/compiled-policy.ts';
import { access, nowMs, policyOf, principal, problemsOf, verdict } from '../../policy/fixture.ts';
import { exchange, refused } from '../policy-events.ts';
import { proposePolicy, replay } from '../policy-learning.ts';

/** What is learnt is sound, and decides what it was learnt from as it was decided. */
function learn(events: readonly AuditEvent[]): { text: string; policy: CompiledPolicy } {
  const text = proposePolicy(events);
  assert.deepEqual(problemsOf(text), [], text);
  const policy = policyOf(text);
  const { flips, unsure } = replay(events, policy, new Map([['s', { claims: {}, posture: [] }]]));
  assert.deepEqual({ flips, unsure }, { flips: [], unsure: [] }, text);
  return { text, policy };
}

test('the proposal allows what was seen, with templates of its paths, and nothing beside it', () => {
  const { policy } = learn([
    exchange({ path: '/repos/acme/app/issues/17?state=open' }),
    exchange({ path: '/repos/acme/app/issues/18' }),
    exchange({ method: 'POST', path: '/repos/acme/app/issues' }),
    exchange({ host: 'b.example.com', port: 8443 }),
    exchange({ host: 'c.example.com', scheme: 'http', port: 80 }),
  ]);
  for (const [request, expected] of [
    ['GET https://a.example.com/repos/acme/app/issues/99', 'allow a-example-com'],
    ['POST https://a.example.com/repos/acme/app/issues', 'allow a-example-com-2'],
    ['POST https://a.example.com/repos/acme/app/issues/99', 'deny default-deny'],
    ['GET https://a.example.com/repos/acme/other/issues/99', 'deny default-deny'],
    ['GET https://b.example.com:8443/', 'allow b-example-com-8443'],
    ['GET https://b.example.com/', 'deny default-deny'],
    ['GET http://c.example.com/', 'allow c-example-com-http'],
    ['GET https://c.example.com/', 'deny default-deny'],
    ['GET https://d.example.com/', 'deny default-deny'],
  ] as const) {
    assert.equal(verdict(policy, request), expected, request);
  }
});

test('a host that the catalogue knows is named in a comment, and the rules are of what was seen', () => {
  const { text } = learn([exchange({ host: 'api.github.com' }), exchange({ host: 'a.example.com' })]);
  assert.match(
    text,
    /^# catalog\/github has rules for api\.github\.com: upstreamproxy catalog show github$/m,
  );
  assert.equal(text.match(/catalog\//g)?.length, 1);
});

test('what was refused, failed or is no request is not proposed', () => {
  const { text } = learn([
    refused({ host: 'denied.example.com' }),
    exchange({ host: 'failed.example.com', verdict: 'error', errorCode: 'origin_unreachable' }),
    { ...exchange({ host: 'session.example.com' }), kind: 'session' },
  ]);
  assert.ok(!text.includes('example.com'));
});

test('raw TCP that no rule allowed is proposed: in force where nothing was meant to be refused, behind a mark where a policy refused it', () => {
  const raw = (fields: Partial<AuditEvent>): AuditEvent => {
    const {
      method: _,
      path: __,
      ...event
    } = exchange({
      kind: 'stream',
      host: 'db.example.com',
      port: 5432,
      verdict: 'deny',
      errorCode: 'protocol_denied',
      rule: 'default-deny',
      policyVersion: 'observe',
      ...fields,
    });
    const { scheme: ___, ...rest } = event;
    return rest;
  };
  const text = proposePolicy([
    exchange({}),
    raw({}),
    raw({}),
    raw({ host: '10.0.0.5', port: 6379 }),
    raw({ host: 'git.example.com', port: 22, policyVersion: 'v' }),
    raw({ host: 'closed.example.com', port: 22, rule: 'no-ssh' }),
  ]);
  assert.deepEqual(problemsOf(text), [], text);
  const policy = policyOf(text);
  const decide = (host: string, port: number): string =>
    policy.decide(principal(), { depth: 'connect', destination: { scheme: 'tcp', host, port } }, nowMs)
      .effect;
  assert.equal(decide('db.example.com', 5432), 'allow', text);
  assert.equal(decide('10.0.0.5', 6379), 'allow', text);
  assert.equal(decide('git.example.com', 22), 'deny', text);
  assert.match(
    text,
    /# 2 connections of raw TCP, refused: .*\n  - \{ name: db-example-com-tcp-5432, hosts: db\.example\.com, scheme: tcp, ports: 5432 \}/,
  );
  assert.match(
    text,
    /\n  # - \{ name: git-example-com-tcp-22, hosts: git\.example\.com, scheme: tcp, ports: 22 \}/,
  );
  assert.doesNotMatch(text, /closed\.example/);
  const marked = proposePolicy([raw({ policyVersion: 'v' })]);
  assert.deepEqual(problemsOf(marked), [], marked);
  assert.match(marked, /rules: \[\] # take these brackets away with the first mark\n[^]*# - \{ name: db-/);
});

test('a template that would admit what was denied is not used', () => {
  const { policy, text } = learn([
    exchange({ path: '/items/1' }),
    exchange({ path: '/items/2' }),
    refused({ path: '/items/3' }),
  ]);
  assert.match(text, /- \/items\/1 # 1\n {6}- \/items\/2 # 1\n/);
  assert.equal(verdict(policy, 'GET https://a.example.com/items/3'), 'deny default-deny');
});

test('credentials, private networks, raw TCP and passthrough are part of it', () => {
  const { text } = learn([
    exchange({ rule: 'api', injected: ['api-token'], address: '10.1.2.3' }),
    exchange({ rule: 'form', injected: [], offered: ['placeholder'], host: 'f.example.com' }),
    exchange({
      kind: 'stream',
      rule: 'db',
      scheme: 'tcp',
      protocol: 'raw',
      host: 'db.example.com',
      port: 5432,
    }),
    exchange({ kind: 'stream', rule: 'pin', protocol: 'passthrough', host: 'pin.example.com' }),
  ]);
  assert.match(text, /inject: \[api-token\]\n {4}addresses: \["?10\.1\.2\.3\/32"?\]/);
  assert.match(text, /inject: \[placeholder\]/);
  assert.match(text, /# 1 connection\n.*\n.*db\.example\.com\n {4}scheme: tcp\n {4}ports: 5432\n/);
  assert.match(text, /tls: passthrough/);
});

test('the most used host comes first, paths are sorted with their counts, and the text is the same each time', () => {
  const events = [
    exchange({ host: 'z.example.com' }),
    exchange({ path: '/b' }),
    exchange({ path: '/a/1' }),
    exchange({ path: '/a/2' }),
  ];
  const { text } = learn(events);
  assert.ok(text.indexOf('a.example.com') < text.indexOf('z.example.com'));
  assert.match(text, /# 3 requests\n {2}- name: a-example-com\n/);
  assert.match(text, /paths:\n {6}- ("?)\/a\/:id\1 # 2\n {6}- \/b # 1\n/);
  assert.equal(proposePolicy(events.toReversed()), text);
});

test('paths with odd characters and with two readings are learnt as they are', () => {
  learn(
    ['/a:b*(c)', '/@acme%2Ftool', '/x//y', '/v;p=1/z', '/%E2%82%AC', '/q"uote', '/{curly}', '/#'].map(
      (path) => exchange({ path: path.replaceAll(/["{}#]/g, encodeURIComponent) }),
    ),
  );
});

test('one host on several ports and schemes gives rules of different names', () => {
  const { policy } = learn([exchange(), exchange({ port: 8443 }), exchange({ scheme: 'http', port: 80 })]);
  assert.equal(new Set(policy.rules.map((rule) => rule.reference.name)).size, 3);
});

/** A fetch or a push as git makes it, at the path of a repository. */
function git(
  repository: string,
  operation: 'fetch' | 'push',
  fields: Partial<AuditEvent> = {},
): readonly AuditEvent[] {
  const service = operation === 'fetch' ? 'git-upload-pack' : 'git-receive-pack';
  const facts = { repository: repository.replace(/\.git$/, ''), operation };
  return [
    exchange({ path: `/${repository}/info/refs?service=${service}`, ...fields, git: facts }),
    exchange({
      method: 'POST',
      path: `/${repository}/${service}`,
      ...fields,
      git: { ...facts, ...fields.git },
    }),
  ];
}

const pushOf = (
  refs: NonNullable<NonNullable<AuditEvent['git']>['refs']>,
  more: { readonly refsTotal?: number } = {},
): Partial<AuditEvent> => ({ git: { repository: 'acme/app', operation: 'push', refs, ...more } });

const asked = (
  policy: CompiledPolicy,
  repository: string,
  pushed?: readonly { ref: string; change: 'create' | 'update' | 'delete' }[],
): string => {
  const service = pushed === undefined ? 'git-upload-pack' : 'git-receive-pack';
  const one = access(`POST https://a.example.com/${repository}/${service}`);
  assert.ok(one.depth === 'request');
  const request = pushed === undefined ? one : { ...one, pushed };
  return policy.decide(principal(), request, nowMs).effect;
};

test('what git did becomes rules about git: fetches by repository, pushes by their refs', () => {
  const { policy, text } = learn([
    ...git('acme/app.git', 'fetch'),
    ...git('acme/lib', 'fetch'),
    ...git('acme/app.git', 'push', pushOf([{ ref: 'refs/heads/agent/fix', change: 'create' }])),
    exchange({ path: '/acme/app/raw/main/readme' }),
  ]);
  assert.match(text, /git:\n {6}repository: \[acme\/app, acme\/lib\]\n {6}operations: fetch\n/);
  assert.match(text, /operations: push\n {6}refs: \[refs\/heads\/agent\/fix\]\n/);
  assert.ok(!text.includes('git-upload-pack') && !text.includes('info/refs'), text);
  const fix = 'refs/heads/agent/fix';
  for (const [expected, repository, pushed] of [
    ['allow', 'acme/app', undefined],
    ['allow', 'acme/lib.git', undefined],
    ['deny', 'acme/other', undefined],
    ['allow', 'acme/app', [{ ref: fix, change: 'update' }]],
    ['deny', 'acme/app', [{ ref: fix, change: 'delete' }]],
    ['deny', 'acme/app', [{ ref: 'refs/heads/main', change: 'update' }]],
    ['deny', 'acme/lib', [{ ref: fix, change: 'update' }]],
  ] as const) {
    assert.equal(asked(policy, repository, pushed), expected, JSON.stringify([repository, pushed]));
  }
});

test('a push that deletes has a rule of its own, as all of a push is allowed by one rule', () => {
  const main = 'refs/heads/main';
  const { policy } = learn([
    ...git('acme/app', 'push', pushOf([{ ref: main, change: 'update' }])),
    ...git(
      'acme/app',
      'push',
      pushOf([
        { ref: 'refs/heads/old', change: 'delete' },
        { ref: 'refs/heads/new', change: 'create' },
      ]),
    ),
  ]);
  assert.equal(asked(policy, 'acme/app', [{ ref: main, change: 'delete' }]), 'deny');
  assert.equal(asked(policy, 'acme/app', [{ ref: 'refs/heads/old', change: 'delete' }]), 'allow');
});

test('a push that was refused stays refused', () => {
  const { policy } = learn([
    ...git('acme/app', 'push', pushOf([{ ref: 'refs/heads/a', change: 'update' }])),
    refused({
      method: 'POST',
      path: '/acme/app/git-receive-pack',
      status: 200,
      rule: 'no-main',
      git: {
        repository: 'acme/app',
        operation: 'push',
        refs: [{ ref: 'refs/heads/main', change: 'update' }],
      },
    }),
  ]);
  assert.equal(asked(policy, 'acme/app', [{ ref: 'refs/heads/main', change: 'update' }]), 'deny');
});

test('a push that was only asked about is no push', () => {
  const [listing] = git('acme/app', 'push');
  const { policy } = learn([listing!]);
  assert.equal(asked(policy, 'acme/app', [{ ref: 'refs/heads/main', change: 'update' }]), 'deny');
});

test('a push of which not all is recorded is allowed without its refs, and replay says that it cannot tell', () => {
  for (const fields of [{}, pushOf([{ ref: 'refs/heads/a', change: 'create' }], { refsTotal: 900 })]) {
    const events = git('acme/app', 'push', fields);
    const text = proposePolicy(events);
    assert.match(text, /operations: push\n {6}# What was pushed is not recorded\.\n/);
    const { flips, unsure } = replay(events, policyOf(text), new Map());
    assert.deepEqual(flips, []);
    assert.match(unsure[0]?.reason ?? '', /refs of the push/);
  }
});

test('a star that a workload wrote is no wildcard of what is learnt, and paths beyond number are told', () => {
  const { policy, text } = learn([
    exchange({ path: '/acme/*/info/refs?service=git-upload-pack' }),
    exchange({ path: '/**/git-upload-pack', method: 'POST' }),
    exchange({ path: `/${'x'.repeat(600)}` }),
  ]);
  assert.ok(!text.includes('git:') && !text.includes('Any path'), text);
  for (const request of [
    'GET https://a.example.com/acme/app/info/refs',
    'POST https://a.example.com/app/git-upload-pack',
    'GET https://a.example.com/y',
  ])
    assert.equal(verdict(policy, request), 'deny default-deny', request);
  const many = learn(Array.from({ length: 201 }, (_, i) => exchange({ path: `/word${'x'.repeat(i)}` })));
  assert.match(many.text, /\n {4}# Any path: there were too many/);
});

test('refs and repositories that no pattern can name are learnt as near as can be', () => {
  const many = Array.from({ length: 64 }, (_, i) => ({
    ref: `refs/tags/v${i}`,
    change: 'create' as const,
  }));
  const { text } = learn([
    ...git('acme/app', 'push', pushOf([{ ref: 'refs/heads/größe/x', change: 'create' }])),
    ...git('acme/app', 'push', pushOf(many)),
    ...git('acme/app', 'push', pushOf(many.map(({ ref, change }) => ({ ref: `${ref}.1`, change })))),
    ...git('acme/a:b', 'fetch'),
  ]);
  assert.match(text, /refs: \["refs\/heads\/\*\/\*\*", "refs\/tags\/\*\*"\]/);
  assert.match(text, /git-upload-pack/);
});

test('a request of which an event has only the beginning is left out, and that is said', () => {
  const cut = { path: { bytes: 5000, sha256: '0'.repeat(64) } };
  const text = proposePolicy([exchange({ path: '/a/1' }), exchange({ path: '/b/2', cut })]);
  assert.match(text, /^# 1 request is left out: .*can't be told/m);
  assert.ok(text.includes('/a/') && !text.includes('/b/'), text);
  assert.match(proposePolicy([exchange({ path: '/b/2', cut })]), /1 request is left out[^]*rules: \[\]/);
});

test('where a denied path is not all there, no template is made beside it', () => {
  const cut = { path: { bytes: 5000, sha256: '0'.repeat(64) } };
  const seen = [exchange({ path: '/repos/a/issues/17' }), exchange({ path: '/repos/a/issues/18' })];
  assert.match(proposePolicy(seen), /issues\/:id/);
  const text = proposePolicy([...seen, refused({ path: '/repos/b', cut })]);
  assert.ok(!text.includes(':id') && text.includes('/repos/a/issues/17'), text);
});

test('what was seen of bodies makes no rule about bodies, and denied messages none at all', () => {
  const text = proposePolicy([
    exchange({ method: 'POST', path: '/mcp', mcp: { method: 'tools/call', tool: 'search' } }),
    exchange({
      method: 'POST',
      path: '/graphql',
      graphql: { operations: [{ type: 'mutation', fields: ['a'] }] },
    }),
    exchange({ method: 'POST', path: '/v1/messages', llm: { api: 'anthropic', model: 'm', streams: false } }),
    refused({ method: 'POST', path: '/secret', mcp: { method: 'tools/call', tool: 'delete' } }),
  ]);
  // A person is told that paths bound little there.
  assert.equal(problemsOf(text).filter((one) => one.includes('every operation of')).length, 2);
  const policy = policyOf(text);
  assert.doesNotMatch(text, /mcp:|graphql:|llm:|leaks:|screen:|rewrite:|delete|\/secret/);
  assert.equal(verdict(policy, 'POST https://a.example.com/mcp'), 'allow a-example-com');
  assert.equal(verdict(policy, 'POST https://a.example.com/secret'), 'deny default-deny');
});

test('a database that was logged in to becomes a rule with its protocol, and what shows none is left out', () => {
  const session = (database: Readonly<Record<string, unknown>>, more: Partial<AuditEvent> = {}): AuditEvent =>
    exchange({
      kind: 'stream',
      scheme: 'tcp',
      host: 'db.example.com',
      port: 5432,
      protocol: 'postgres',
      injected: ['orders-login'],
      details: { database },
      ...more,
    });
  const text = proposePolicy([
    session({ name: 'orders', user: 'agent', authentication: 'scram-sha-256', tls: true }),
    session({ name: 'a b', user: 'agent', authentication: 'md5', tls: true }),
    session({ cancels: true }, { injected: [], offered: ['orders-login'] }),
  ]);
  assert.match(
    text,
    /protocol: postgres\n {4}postgres:\n {6}databases: \["a b", orders\]\n {6}authentication: \[md5, scram-sha-256\]\n[^]*inject: \[orders-login\]/,
  );
  assert.match(text, /# 2 connections\n/);
  assert.doesNotMatch(text, /scheme: tcp|dangerously/);
  policyOf(text);
  assert.match(proposePolicy([session({ name: 'orders', tls: false })]), /dangerouslyAllowPlaintext: true/);
});

test('of a Redis that was logged in to becomes a rule with the commands that passed', () => {
  const connection = (
    database: Readonly<Record<string, unknown>>,
    more: Partial<AuditEvent> = {},
  ): AuditEvent =>
    exchange({
      kind: 'stream',
      scheme: 'tcp',
      host: 'cache.example.com',
      port: 6379,
      protocol: 'redis',
      injected: ['cache-login'],
      details: { database },
      ...more,
    });
  const commands = { hello: 1, get: 2, 'client|setinfo': 1, other: 9 };
  const text = proposePolicy([
    connection({ user: 'agent', tls: true, commands, refusedCommands: { keys: 1 } }),
    connection({ user: 'agent', tls: true, commands: { set: 1 } }),
    connection({}, { injected: [], offered: ['cache-login'] }),
  ]);
  assert.match(
    text,
    /protocol: redis\n {4}redis:\n {6}commands: \{ allow: \["client\|setinfo", get, set\] \}\n {4}ports: 6379\n/,
  );
  assert.match(text, /# 2 connections\n/);
  policyOf(text);
  const plain = proposePolicy([connection({ user: 'agent', tls: false })]);
  assert.match(plain, /redis:\n {6}dangerouslyAllowPlaintext: true/);
  policyOf(plain);
  policyOf(proposePolicy([connection({ user: 'agent', tls: true })]));
});

test('of a MySQL that was logged in to becomes a rule with the databases that clients began with', () => {
  const connection = (database: Readonly<Record<string, unknown>>): AuditEvent =>
    exchange({
      kind: 'stream',
      scheme: 'tcp',
      host: 'db.example.com',
      port: 3306,
      protocol: 'mysql',
      injected: ['shop-login'],
      details: { database },
    });
  const login = { user: 'agent', authentication: 'client_ed25519', tls: true };
  const began = [
    connection({ ...login, name: 'shop' }),
    connection({ ...login, name: 'a b' }),
    connection({}),
  ];
  const text = proposePolicy(began);
  assert.match(
    text,
    /# 2 connections\n[^]*protocol: mysql\n {4}mysql:\n {6}databases: \["a b", shop\]\n {6}authentication: \[client_ed25519\]\n {4}ports: 3306\n/,
  );
  policyOf(text);
  const any = proposePolicy([...began, connection({ ...login, tls: false })]);
  assert.doesNotMatch(any, /databases/);
  assert.match(any, /dangerouslyAllowPlaintext: true/);
  policyOf(any);
  assert.equal(proposePolicy([connection({})]).includes('protocol:'), false);
});
