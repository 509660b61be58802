import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { AccessDesk } from '../../../src/gateway/access/access-desk.ts';
import type { Principal } from '../../../src/policy/decision.ts';
import { openAccess } from '../../../src/gateway/access/open-access.ts';
import { SessionAudit } from '../../../src/gateway/audit/session-audit.ts';
import { BoundPolicies } from '../../../src/policy/bound-policies.ts';
import { GrantedPolicy } from '../../../src/policy/granted-policy.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { policyOf } from '../../policy/fixture.ts';
import { RecordingAudit } from '../session-fixture.ts';
import { get, sendRaw } from '../support/raw-http.ts';
import { memoryBudgets } from '../../support/budget-store.ts';
import { compilePolicy, openRequestPath, testPrincipal } from '../support/request-path.ts';

const host = 'upstreamproxy.invalid';
const yaml = 'rules: [{ name: open, hosts: open.test }]';

async function openScene(
  limits: Partial<typeof defaultLimits> = {},
  policy = yaml,
  budgetStore = memoryBudgets(),
) {
  const store = await openStore('sqlite::memory:');
  const desk = new AccessDesk({
    store: store.access,
    audit: new SessionAudit(new RecordingAudit()),
    policy: () => new GrantedPolicy(compilePolicy(policy), [], {}),
    limits: { ...defaultLimits, ...limits },
    clock: Date.now,
  });
  const path = openRequestPath({ policy, hosts: [], trust: [], desk, limits, budgetStore });
  return {
    path,
    store,
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await store.close();
    },
  };
}

const post = (body: string, ...fields: readonly string[]): string =>
  [
    `POST /access HTTP/1.1`,
    `Host: ${host}`,
    'Connection: close',
    `Content-Length: ${body.length}`,
    ...fields,
    '',
    body,
  ].join('\r\n');
const asked = JSON.stringify({ url: 'https://asked.test/x', method: 'GET', reason: 'x' });

test('a request to the gateway itself gets a response over TLS, recorded, and dials nothing', async () => {
  await using scene = await openScene();
  const response = await sendRaw(await scene.path.tls(`${host}:443`), post(asked));
  assert.equal(response.status, 202);
  assert.equal(response.headers.get('content-type'), 'application/json');
  const [event] = await scene.path.events(1);
  assert.deepEqual(
    [event?.verdict, event?.rule, event?.status, event?.host, event?.address],
    ['info', 'access-requests', 202, host, undefined],
  );
  assert.equal(event?.traceId, response.headers.get('x-trace-id'));
  assert.equal((await scene.store.access.list({ limit: 10 })).length, 1);
});

test('it gets a response over HTTP/2 and over cleartext as well', async () => {
  await using scene = await openScene();
  const socket = await scene.path.tls(`${host}:443`, { alpn: ['h2'] });
  const session = connect(`https://${host}`, { createConnection: () => socket });
  const stream = session.request({ ':method': 'POST', ':path': '/access' });
  stream.end(asked);
  const [head] = await once(stream, 'response');
  assert.equal(head[':status'], 202);
  assert.equal((JSON.parse(await text(stream)) as { status: string }).status, 'pending');
  session.destroy();
  const plain = scene.path.open({ authority: `${host}:80`, mode: 'raw' });
  assert.equal((await sendRaw(plain.socket, get(host, '/access'))).status, 200);
});

test('HEAD has the head of GET, and other paths say what there is', async () => {
  await using scene = await openScene();
  const ask = async (request: string) => sendRaw(await scene.path.tls(`${host}:443`), request);
  const head = await ask(get(host, '/access').replace('GET', 'HEAD'));
  assert.deepEqual([head.status, head.body], [200, '']);
  const unknown = await ask(get(host, '/admin'));
  assert.equal(unknown.status, 404);
  assert.match(unknown.body, /POST http:\/\/upstreamproxy\.invalid\/access/);
});

test('what a proof of the doctor asks for in vain is no error in the audit', async () => {
  await using scene = await openScene();
  const asked = get(host, '/doctor/go/abcdefghijkl/none/@v/v1.0.0.info');
  const { status, body } = await sendRaw(await scene.path.tls(`${host}:443`), asked);
  assert.equal(status, 404);
  assert.match(body, /^upstreamproxy: The gateway responds to GET .*\/doctor/);
  const event = (await scene.path.events(1)).at(-1);
  assert.deepEqual([event?.verdict, event?.status, event?.errorCode], ['info', 404, undefined]);
});

test('a body over the limit is refused, whether its length is told or not, and the reason is told', async () => {
  await using scene = await openScene({ accessBodyBytesMax: 100 });
  const ask = async (request: string) => sendRaw(await scene.path.tls(`${host}:443`), request);
  assert.equal((await ask(post('x'.repeat(101)))).status, 413);
  const chunked =
    `POST /access HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n` +
    `65\r\n${'x'.repeat(101)}\r\n0\r\n\r\n`;
  assert.equal((await ask(chunked)).status, 413);
  const wrong = await ask(post('{}'));
  assert.equal(wrong.status, 400);
  assert.match(wrong.body, /reason is not as expected; write \{"url"/);
  assert.deepEqual(await scene.store.access.list({ limit: 10 }), []);
});

test('a body that does not come is not waited for', async () => {
  await using scene = await openScene({ headTimeoutMs: 1_000 });
  const head = `POST /access HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nContent-Length: 10\r\n\r\n`;
  const response = await sendRaw(await scene.path.tls(`${host}:443`), head);
  assert.equal(response.headers.get('x-deny-reason'), 'timeout');
});

test('the gateway itself speaks no WebSocket', async () => {
  await using scene = await openScene();
  const upgrade = get(host, '/access').replace('Connection: close', 'Connection: Upgrade');
  const fields =
    'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
  const request = upgrade.replace(/\r\n\r\n$/, `\r\n${fields}`);
  const response = await sendRaw(await scene.path.tls(`${host}:443`), request);
  assert.equal(response.status, 400);
});

test('a denial names the way to ask only where there is a desk, and only where a grant could help', async () => {
  await using scene = await openScene();
  await using bare = openRequestPath({ policy: yaml, hosts: [], trust: [] });
  const denial = async (path: typeof bare) =>
    (await sendRaw(await path.tls('asked.test:443'), get('asked.test', '/x'))).body;
  assert.match(await denial(scene.path), /^ask: POST http:\/\/upstreamproxy\.invalid\/access /m);
  assert.doesNotMatch(await denial(bare), /ask:|upstreamproxy\.invalid/);
  scene.path.setPolicy('rules: [{ name: closed, hosts: asked.test, deny: closed }]');
  assert.doesNotMatch(await denial(scene.path), /ask:/);
});

test('turned off, there is no desk, and the policy is the one of the files beside the own name', async () => {
  await using store = await openStore('sqlite::memory:');
  await using stack = new AsyncDisposableStack();
  const policy = compilePolicy(yaml);
  const access = await openAccess({
    config: { access: { enabled: false }, limits: defaultLimits },
    store,
    audit: new RecordingAudit(),
    base: () => policy,
    credentials: { emulations: { hosts: new Set(['169.254.169.254']) } },
    clock: Date.now,
    onFault: (error) => assert.fail(error),
    stack,
  });
  const principal = { id: 'p', sessionId: 's', posture: undefined } as unknown as Principal;
  const ruleFor = (name: string): string =>
    access
      .policy()
      .decide(principal, { depth: 'connect', destination: { scheme: 'https', host: name, port: 443 } }, 0)
      .rule.name;
  assert.deepEqual([ruleFor('open.test'), ruleFor('other.test')], ['open', 'default-deny']);
  assert.equal(ruleFor(host), 'access-requests');
  assert.equal(access.policy().version, policy.version);
  assert.equal(access.desk, undefined);
  // Emulated on port 80, in plain HTTP; elsewhere the rules decide, and the address guard behind them.
  const emulated = (scheme: 'http' | 'https' | 'tcp', port: number): string => {
    const destination = { scheme, host: '169.254.169.254', port };
    return access.policy().decide(principal, { depth: 'connect', destination }, 0).rule.name;
  };
  assert.deepEqual(
    [
      emulated('http', 80),
      emulated('https', 80),
      emulated('https', 443),
      emulated('http', 81),
      emulated('tcp', 80),
    ],
    ['emulated-identity', 'default-deny', 'default-deny', 'default-deny', 'default-deny'],
  );
});

test('a session is told the rules that are for it, and nothing of others', async () => {
  const policy = `rules:
  - { name: mine, hosts: a.test, methods: [GET], paths: [/v1/*], limits: { requestsPerSession: 5 } }
  - { name: theirs, hosts: b.test, for: { team: other-team } }
  - { name: over, hosts: over.test, expires: 2001-01-01T00:00:00Z }
  - { name: jailed, hosts: c.test, require: [jailed], when: "request.path != '/secret-of-the-operator'" }
  - { name: never, hosts: d.test, deny: Ask the team for data. }
  - { name: trial, hosts: e.test, deny: On trial., mode: observe }
`;
  await using scene = await openScene({}, policy);
  const { path } = scene;
  const response = await sendRaw(
    await path.tls(`${host}:443`),
    get(host, '/policy', 'Accept: application/json'),
  );
  assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'application/json']);
  const view = JSON.parse(response.body) as { rules: readonly Record<string, unknown>[] };
  assert.deepEqual(view.rules, [
    {
      name: 'mine',
      effect: 'allow',
      hosts: ['a.test'],
      schemes: ['https'],
      ports: [443],
      methods: ['GET'],
      paths: ['/v1/*'],
      limits: { requestsPerSession: 5 },
      left: { requestsPerSession: 5 },
    },
    {
      name: 'jailed',
      effect: 'allow',
      hosts: ['c.test'],
      schemes: ['https'],
      ports: [443],
      only: { when: 'a condition of the operator holds' },
      needs: ['jailed'],
    },
    {
      name: 'never',
      effect: 'deny',
      hosts: ['d.test'],
      schemes: ['https', 'http', 'tcp', 'udp'],
      reason: 'Ask the team for data.',
    },
  ]);
  const plain = await sendRaw(await path.tls(`${host}:443`), get(host, '/policy'));
  assert.match(
    plain.body,
    /^- mine: allow GET; of a\.test; over https on 443; paths \/v1\/\*; requestsPerSession 5, 5 left$/m,
  );
  for (const { body } of [response, plain])
    assert.doesNotMatch(body, /other-team|theirs|over\.test|secret-of|e\.test/);
});

test('a session is told what is left of its budgets, those that rules share too, and nothing where nobody can say', async () => {
  const policy = `rules:
  - { name: one, hosts: a.test, limits: { requestsPerSession: 9, bytesPerSession: 100, budget: shared } }
  - { name: two, hosts: b.test, limits: { urlsPerSession: 4, requestsPerSecond: 3 } }
`;
  const budgetStore = memoryBudgets();
  await using scene = await openScene({}, policy, budgetStore);
  const { path } = scene;
  const left = async (): Promise<readonly unknown[]> => {
    const response = await sendRaw(
      await path.tls(`${host}:443`),
      get(host, '/policy', 'Accept: application/json'),
    );
    const { rules } = JSON.parse(response.body) as { rules: readonly { left?: unknown }[] };
    return rules.map((rule) => rule.left);
  };
  const { sessionId } = testPrincipal('alice');
  assert.deepEqual(await left(), [{ requestsPerSession: 9, bytesPerSession: 100 }, { urlsPerSession: 4 }]);
  // What this gateway has borrowed and not spent is left; what another one has borrowed is not.
  const decision = { rule: { name: 'one' }, limits: { requestsPerSession: 9 }, budget: 'budget shared' };
  await path.parts.budgets.admit(sessionId, decision, 0);
  const budgetOfTwo = policyOf(policy).rules[1]?.budget ?? '';
  const name = { sessionId, budget: `urlsPerSession ${budgetOfTwo}` };
  await budgetStore.borrow(name, 3, { max: 4, budgetsPerSessionMax: 9 });
  assert.deepEqual(await left(), [{ requestsPerSession: 8, bytesPerSession: 100 }, { urlsPerSession: 1 }]);
  budgetStore.takenBy = () => Promise.reject(new ProxyError('store_unavailable', 'it is away'));
  assert.deepEqual(await left(), [undefined, undefined]);
});

test('a session is told what tokens and money are left for calls of models, of a day those of all its principal', async () => {
  const policy = `rules:
  - { name: one, hosts: a.test, llm: { api: openai-chat, outputTokens: 9, budget: { name: shared, tokens: { session: 1000, day: 5000 }, money: { day: 2.5 } } } }
  - { name: two, hosts: b.test, llm: { api: openai-chat, outputTokens: 9, budget: { name: shared, tokens: { session: 700 } } } }
  - { name: three, hosts: c.test, limits: { requestsPerSession: 3 }, llm: { api: openai-chat, outputTokens: 9, budget: { money: { session: 1 } } } }
`;
  const budgetStore = memoryBudgets();
  await using scene = await openScene({}, policy, budgetStore);
  const { path } = scene;
  const told = async (...fields: readonly string[]): Promise<string> =>
    (await sendRaw(await path.tls(`${host}:443`), get(host, '/policy', ...fields))).body;
  const left = async (): Promise<readonly unknown[]> => {
    const body = await told('Accept: application/json');
    assert.doesNotMatch(body, /modelBudget/);
    return (JSON.parse(body) as { rules: readonly { left?: unknown }[] }).rules.map((rule) => rule.left);
  };
  assert.deepEqual(await left(), [
    { tokens: { session: 1000, day: 5000 }, money: { day: 2.5 } },
    { tokens: { session: 700 } },
    { requestsPerSession: 3, money: { session: 1 } },
  ]);
  const { sessionId, id: principalId } = testPrincipal('alice');
  const day = new Date(path.parts.clock()).toISOString().slice(0, 10);
  const take = async (of: 'session' | 'principal', budget: string, amount: number, who = sessionId) =>
    budgetStore.reserve({ sessionId: who, principalId }, [{ of, budget, amount, max: 1e12 }], {
      budgetsPerSessionMax: 10,
    });
  await take('session', 'llm tokens budget shared', 300);
  await take('session', 'llm tokens budget shared', 600, 'another session');
  await take('principal', `llm tokens ${day} budget shared`, 1300, 'another session');
  await take('principal', `llm nanoUsd ${day} budget shared`, 12_500_000);
  await take('principal', 'llm tokens 2001-01-01 budget shared', 4000);
  await take('session', 'llm nanoUsd rule three', 2_000_000_000);
  assert.deepEqual(await left(), [
    { tokens: { session: 700, day: 3700 }, money: { day: 2.4875 } },
    { tokens: { session: 400 } },
    { requestsPerSession: 3, money: { session: 0 } },
  ]);
  const plain = await told();
  assert.match(
    plain,
    /^- one: .*; 700 of 1000 tokens left for this session; 3700 of 5000 tokens left today; /m,
  );
  assert.match(plain, /; \$2\.4875 of \$2\.50 left today/);
  assert.match(plain, /^- three: .*requestsPerSession 3, 3 left; \$0\.00 of \$1\.00 left for this session$/m);
  budgetStore.takenByPrincipal = () => Promise.reject(new ProxyError('store_unavailable', 'it is away'));
  assert.deepEqual(await left(), [undefined, undefined, undefined]);
});

test('what was asked for is told with the policy, and a policy of many rules is bounded', async () => {
  await using scene = await openScene();
  await sendRaw(await scene.path.tls(`${host}:443`), post(asked));
  const one = await sendRaw(
    await scene.path.tls(`${host}:443`),
    get(host, '/policy', 'Accept: application/json'),
  );
  assert.equal((JSON.parse(one.body) as { requests: readonly unknown[] }).requests.length, 1);
  const rules = Array.from(
    { length: 1005 },
    (_, i) => `  - { name: r${String(i)}, hosts: h${String(i)}.test }`,
  );
  await using large = await openScene({}, `rules:\n${rules.join('\n')}\n`);
  const many = await sendRaw(
    await large.path.tls(`${host}:443`),
    get(host, '/policy', 'Accept: application/json'),
  );
  const view = JSON.parse(many.body) as { rules: readonly unknown[]; rules_not_shown: number };
  assert.deepEqual([view.rules.length, view.rules_not_shown], [1000, 5]);
});

test('a session that may be observed is not told that everything is denied, and of a ceiling only that there is one', async () => {
  await using scene = await openScene({}, 'mode: observe\nrules: [{ name: x, hosts: x.test }]');
  const observed = await sendRaw(await scene.path.tls(`${host}:443`), get(host, '/policy'));
  assert.match(observed.body, /What no rule allows may be let through/);
  const main = { name: 'main', policy: policyOf('rules: [{ name: mine, hosts: a.test }]') };
  const ceiling = { name: 'ceiling', policy: policyOf('rules: [{ name: merger, hosts: deal.test }]') };
  const { rules, isBounded } = new BoundPolicies('v', [main, ceiling]).rulesFor(
    { id: 'p', sessionId: 's', claims: {}, posture: [] },
    { nowMs: 0, max: 10 },
  );
  assert.deepEqual([rules.map(({ name }) => name), isBounded], [['mine'], true]);
});
