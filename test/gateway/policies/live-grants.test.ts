import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';

import { LiveGrants, type LiveGrant } from '../../../src/gateway/policies/live-grants.ts';
import type { AccessRequest, Policy } from '../../../src/policy/decision.ts';
import { access, nowMs, policyOf, principal } from '../../policy/fixture.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { get } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';
import { UnreadableBody } from '../../../src/understand/json-value.ts';

const authority = createTestAuthority();

async function openScene() {
  const origin = await httpsOrigin({
    authority,
    // Begins, and never ends.
    handler: (_request, response) => void response.write('beat\n'),
  });
  const rule = (name: string): string =>
    `rules: [{ name: ${name}, hosts: ${name}.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }]`;
  const path = openRequestPath({
    policy: rule('allowed'),
    hosts: ['allowed.test'],
    trust: [authority.caPem],
  });
  return {
    path,
    rule,
    at: `allowed.test:${origin.port}`,
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}

/** However it ended: by an end or by an error. */
async function closed(stream: Duplex): Promise<void> {
  stream.on('error', () => undefined);
  if (stream.closed) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  stream.once('close', () => resolve(undefined));
  await promise;
}

test('a running download ends when its rule goes, and the audit says why', async () => {
  await using scene = await openScene();
  const socket = await scene.path.tls(scene.at);
  socket.write(get(scene.at, '/'));
  await once(socket, 'data');
  assert.equal(scene.path.parts.live.size, 1);
  scene.path.setPolicy(scene.rule('allowed'));
  assert.equal(socket.destroyed, false);
  const end = closed(socket);
  scene.path.setPolicy(scene.rule('other'));
  socket.resume();
  await end;
  const [event] = await scene.path.events(1);
  assert.deepEqual([event?.verdict, event?.errorCode, event?.status], ['deny', 'policy_denied', 200]);
  assert.equal(scene.path.parts.live.size, 0);
});

test('over HTTP/2 only the stream of it ends', async () => {
  await using scene = await openScene();
  const socket = await scene.path.tls(scene.at, { alpn: ['h2'] });
  const session = connect(`https://${scene.at}`, { createConnection: () => socket });
  const stream = session.request({ ':path': '/' });
  await once(stream, 'data');
  const end = closed(stream);
  scene.path.setPolicy(scene.rule('other'));
  await end;
  assert.equal(session.closed, false);
  const denied = session.request({ ':path': '/' });
  const [head] = await once(denied, 'response');
  assert.equal(head[':status'], 403);
  session.destroy();
});

test('a passed-through stream ends when its rule goes, and the audit says why', async () => {
  await using scene = await openScene();
  const { path } = scene;
  const passing = (name: string): string => scene.rule(name).replace(' }]', ', tls: passthrough }]');
  path.setPolicy(passing('allowed'));
  const { socket } = path.open({ authority: scene.at, mode: 'raw' });
  const secured = connectTls({ socket, servername: 'allowed.test', rejectUnauthorized: false });
  await once(secured, 'secureConnect');
  const end = closed(secured);
  path.setPolicy(passing('other'));
  await end;
  const [event] = await path.events(1);
  assert.deepEqual([event?.verdict, event?.errorCode], ['deny', 'policy_denied']);
});

test('a passed-through stream that is still dialled ends when its rule goes meanwhile', async () => {
  await using scene = await openScene();
  const { path } = scene;
  const passing = (name: string): string => scene.rule(name).replace(' }]', ', tls: passthrough }]');
  path.setPolicy(passing('allowed'));
  const { dialer } = path.parts;
  const dial = dialer.dial.bind(dialer);
  let dialled: Socket | undefined;
  Object.assign(dialer, {
    dial: async (request: Parameters<typeof dial>[0]) => {
      const result = await dial(request);
      dialled = result.socket;
      path.setPolicy(passing('other'));
      return result;
    },
  });
  await assert.rejects(path.tls(scene.at));
  const [event] = await path.events(1);
  assert.deepEqual([event?.verdict, event?.errorCode], ['deny', 'policy_denied']);
  assert.deepEqual([dialled?.destroyed, path.parts.live.size], [true, 0]);
});

const ruleWith = (more: string) => policyOf(`rules: [{ name: a, hosts: a.example.com${more} }]`);

/** A grant by the rule, and the codes with which it ended. */
function grantBy(policy: Policy, asked: AccessRequest): { grant: LiveGrant; codes: string[] } {
  const codes: string[] = [];
  const decision = policy.decide(principal(), asked, nowMs);
  assert.equal(decision.effect, 'allow');
  const end = ({ code }: { readonly code: string }): void => void codes.push(code);
  return { grant: { principal: principal(), access: asked, decision, end }, codes };
}

test('a rule that looks at what was not read of a request that runs ends it', () => {
  for (const deny of ['mcp: { tools: x }', 'when: has(json.x)']) {
    const live = new LiveGrants();
    const { grant, codes } = grantBy(ruleWith(''), access('POST https://a.example.com/'));
    live.add(grant);
    live.review(
      policyOf(
        `rules: [{ name: r, hosts: a.example.com }, { name: d, hosts: a.example.com, deny: true, ${deny} }]`,
      ),
      nowMs,
    );
    assert.deepEqual(codes, ['policy_denied']);
  }
});

test('a WebSocket of GraphQL ends when another policy judges its operations, or one reads them that nobody read', () => {
  const opening: AccessRequest = {
    ...access('GET https://a.example.com/graphql'),
    body: { kind: 'unreadable', reason: 'is that of a WebSocket', webSocket: ['graphql-ws'] },
  } as AccessRequest;
  const unread = new LiveGrants();
  const { grant, codes } = grantBy(ruleWith(''), opening);
  unread.add(grant);
  unread.review(ruleWith(''), nowMs);
  assert.deepEqual(codes, []);
  unread.review(
    policyOf(
      'rules: [{ name: r, hosts: a.example.com }, { name: d, hosts: a.example.com, deny: true, paths: /graphql, graphql: { mutations: wipe } }]',
    ),
    nowMs,
  );
  assert.deepEqual(codes, ['policy_denied']);
  const reading = ruleWith(', paths: /graphql, graphql: { subscriptions: [ticks, secret], webSocket: true }');
  const live = new LiveGrants();
  const read = grantBy(reading, opening);
  live.add({ ...read.grant, partsUnder: reading.version });
  live.review(reading, nowMs);
  assert.deepEqual(read.codes, []);
  live.review(ruleWith(', paths: /graphql, graphql: { subscriptions: [ticks], webSocket: true }'), nowMs);
  assert.deepEqual(read.codes, ['policy_denied']);
});

test('a request that asks in its URL opens no WebSocket of GraphQL: an origin that does not switch would respond to it', () => {
  const asked = (query: string): AccessRequest =>
    ({
      ...access('GET https://a.example.com/graphql'),
      query: `?${query}`,
      body: { kind: 'unreadable', reason: 'is that of a WebSocket', webSocket: ['graphql-ws'] },
      graphql: new UnreadableBody('is that of a WebSocket'),
    }) as AccessRequest;
  const policy = ruleWith(', paths: /graphql, graphql: { queries: viewer, webSocket: true }');
  const effect = (query: string): string => policy.decide(principal(), asked(query), nowMs).effect;
  assert.equal(effect('token=x'), 'allow');
  for (const query of [
    'query=%7Bsecret%7D',
    'a=1&QUERY=x',
    '%71uery=x',
    'documentId=1',
    'extensions=%7B%7D',
    'query[]=x',
  ])
    assert.equal(effect(query), 'deny', query);
});

test('a change in how the bytes are handled ends a grant, once', () => {
  const live = new LiveGrants();
  const passing = ruleWith(', tls: passthrough');
  const { grant, codes } = grantBy(passing, access('https://a.example.com'));
  const release = live.add(grant);
  live.review(passing, nowMs);
  assert.deepEqual([codes, live.size], [[], 1]);
  live.review(ruleWith(''), nowMs);
  live.review(ruleWith(''), nowMs);
  assert.deepEqual([codes, live.size], [['policy_denied'], 0]);
  release();
});

const takenBack: readonly (readonly [what: string, given: string, kept: string, lost: string])[] = [
  ['a credential', ', inject: [key]', ', inject: [key, other]', ''],
  ['one of two credentials', ', inject: [key, other]', ', inject: [other, key]', ', inject: [other]'],
  ['a private network', ', addresses: 10.1.0.0/16', ', addresses: 10.0.0.0/8', ', addresses: 10.1.2.0/24'],
  ['pinned certificates', ', trust: [one]', ', trust: [one, two]', ', trust: [two]'],
];

for (const [what, given, kept, lost] of takenBack) {
  test(`what runs with ${what} ends when a policy still allows it without, and not when it gives more`, () => {
    const live = new LiveGrants();
    const { grant, codes } = grantBy(ruleWith(given), access('GET https://a.example.com/'));
    live.add(grant);
    live.review(ruleWith(kept), nowMs);
    assert.deepEqual(codes, []);
    live.review(ruleWith(lost), nowMs);
    assert.deepEqual(codes, ['policy_denied']);
  });
}

test('many grants are judged in portions, and by the policy that came last', async () => {
  // A look at the clock between two of them takes two milliseconds.
  let clockMs = 0;
  const live = new LiveGrants(() => (clockMs += 2));
  const ended: number[] = [];
  const decision = ruleWith('').decide(principal(), access('https://a.example.com'), nowMs);
  assert.ok(decision.effect === 'allow');
  const grants = Array.from({ length: 100 }, (_, n) => ({
    principal: principal(),
    access: access(`https://a${n % 2}.example.com`),
    decision,
    end: () => ended.push(n),
  }));
  for (const grant of grants) live.add(grant);
  live.review(policyOf('rules: []'), nowMs);
  assert.ok(ended.length > 0 && ended.length < 10, `${ended.length} at once`);
  const first = ended.length;
  live.review(policyOf('rules: [{ name: a, hosts: a0.example.com }]'), nowMs);
  assert.equal(ended.length, first);
  // Each of many reviews goes on where the one before it was.
  for (let i = 0; i < 20; i += 1) {
    live.review(policyOf('rules: [{ name: a, hosts: a0.example.com }]'), nowMs);
    await new Promise(setImmediate);
  }
  assert.ok(ended.includes(49), 'frequent reviews never get far');
  for (let i = 0; i < 100; i += 1) await new Promise(setImmediate);
  assert.equal(live.size, 50 - Math.ceil(first / 2));
  assert.ok(ended.slice(first).every((n) => n % 2 === 1));
});

test('what writes with a secret of the home ends when its rule lets such secrets read alone', () => {
  const text = (use: string): string => `rules: [{ name: a, hosts: a.example.com, homeCredentials: ${use} }]`;
  const put = access('PUT https://a.example.com/');
  for (const [before, after, ends] of [
    ['write', 'write', 0],
    ['write', 'read', 1],
    ['read', 'write', 0],
  ] as const) {
    const decision = policyOf(text(before)).decide(principal(), put, nowMs);
    assert.equal(decision.effect, 'allow');
    const live = new LiveGrants();
    let ended = 0;
    live.add({ principal: principal(), access: put, decision, end: () => ended++ });
    live.review(policyOf(text(after)), nowMs);
    assert.equal(ended, ends, `${before} to ${after}`);
  }
});
