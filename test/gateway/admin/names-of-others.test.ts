// Whoever is bound to one team reads, by every operation that reads, no name that is of another team alone.

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { adminOpenApi } from '../../../src/api/admin/openapi.ts';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import type { Policies } from '../../../src/gateway/policies/open-policies.ts';
import { PublishedPolicies } from '../../../src/gateway/policies/published-policies.ts';
import { versionOf } from '../../../src/gateway/policies/policy-version.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { newSession } from '../../conformance/new-session.ts';
import { access, policyOf, principal } from '../../policy/fixture.ts';
import { type AdminScene, event, openAdminScene } from './admin-fixture.ts';

/** In every name that is of team blue alone. */
const canary = /canary-blue|dddddddddddddddd/i;
const blueTrace = 'd'.repeat(32);
const blueSession = 'canary-blue-session';
const redSession = 'red-session';
const blueWish = 'canary-blue-wish';
const shared = 'api.example.com';

const redText = `for: { team: red }
rules:
  - { name: red-read, hosts: ${shared}, methods: GET, paths: /red/* }
`;
const blueText = `for: { team: blue }
rules:
  - { name: canary-blue-read, hosts: ${shared}, methods: GET, paths: /canary-blue-path/* }
  - { name: canary-blue-port, hosts: ${shared}, ports: 8443 }
  - { name: canary-blue-host, hosts: canary-blue-host.example.com, inject: canary-blue-credential }
  - { name: canary-blue-deny, hosts: ${shared}, paths: /x, deny: canary-blue-reason }
`;
const names = { credentials: ['canary-blue-credential'] };

interface Scene extends AsyncDisposable {
  readonly scene: AdminScene;
  readonly bound: string;
  readonly all: string;
}

/** `published`: each team has a policy of its own in the store. Else both have files. */
async function openScene(mode: 'files' | 'published'): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const scene = stack.use(await openAdminScene());
  const { store, parts } = scene;
  for (const [id, team] of [
    [redSession, 'red'],
    [blueSession, 'blue'],
  ] as const) {
    const changes = { tokenKey: `token of ${id}`, claims: { team }, principalId: `issuer|${id}` };
    await store.sessions.enrol(newSession(id, changes), { enrolmentsPerTokenMax: 10 });
    await store.sessions.commit(id, scene.nowMs);
  }
  await store.access.file(
    {
      id: blueWish,
      sessionId: blueSession,
      principalId: 'issuer|canary-blue',
      scheme: 'https',
      host: 'canary-blue-wish.example.com',
      port: 443,
      reason: 'canary-blue-words',
      createdMs: scene.nowMs,
      pendingUntilMs: scene.nowMs + 3_600_000,
    },
    defaultLimits,
  );
  const { leases } = store;
  const bounds = { leasesPerSessionMax: 9, leasesPerPrincipalMax: 9, leasesMax: 9 };
  const lease = {
    id: 'canary-blue-lease',
    sessionId: blueSession,
    principalId: 'issuer|canary-blue-session',
    credential: 'canary-blue-credential',
    holderId: 'gateway-1',
  };
  assert.deepEqual(await leases.ask(lease, bounds), { kind: 'asked' });
  await leases.hold(lease.id, { sealed: 'canary-blue-sealed', lifetimeMs: 3_600_000 });
  const policies = mode === 'files' ? filePolicies() : await storePolicies(scene, stack);
  Object.assign(parts, { policies: { ...parts.policies, ...policies }, policy: policies.current });
  Object.assign(parts.config.credentials, {
    'canary-blue-credential': { kind: 'bearer', placeholder: { env: ['CANARY_BLUE'] } },
  });
  await scene.append(eventsOf(policies));
  await scene.token('viewer', { id: 'canary-blue-token', name: 'canary-blue-name' });
  const [bound, all] = [
    await scene.token('approver', { sees: { team: 'red' } }),
    await scene.token('administrator'),
  ];
  const owned = stack.move();
  return { scene, bound, all, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

type Current = Pick<Policies, 'current'> & Partial<Policies>;

function filePolicies(): Current {
  const policy = policyOf([redText, blueText], names);
  const texts = () => [{ name: 'canary-blue.yaml', text: blueText }];
  return { current: () => policy, texts };
}

async function storePolicies({ store }: AdminScene, stack: AsyncDisposableStack): Promise<Current> {
  const publish = async (policy: string, text: string, number = 0): Promise<void> => {
    // Who it is for is said beside it.
    const files = [{ name: `${policy}.yaml`, text: text.replace(/^for:.*\n/, '') }];
    await store.policies.publish(
      {
        policy,
        files,
        binding: { team: policy.includes('blue') ? 'blue' : 'red' },
        version: versionOf(files.map(({ name, text: one }) => ({ file: name, text: one }))),
        publishedMs: 1000,
        publishedBy: 'canary-blue-admin',
      },
      number,
      { policiesMax: 10, policyVersionsMax: 10 },
    );
  };
  await publish('red', redText);
  await publish('canary-blue', blueText);
  const published = stack.use(
    await PublishedPolicies.open({
      store: store.policies,
      names,
      gatewayId: undefined,
      clock: () => 2000,
      onFault: () => undefined,
      onTaken: () => undefined,
      onRefused: () => undefined,
    }),
  );
  // One that cannot be taken, with what is wrong in its rules.
  await publish(
    'canary-blue',
    'rules: [{ name: canary-blue-bad, hosts: a.example.com, inject: nothing }]\n',
    1,
  );
  await published.look();
  assert.equal(published.refused.length, 1);
  return { current: () => published.current, published, staleMs: () => 5000 };
}

/** Of both teams, a denial of red with what its operator is told among them. */
function eventsOf({ current }: Current): readonly AuditEvent[] {
  const red = principal({ claims: { team: 'red' } });
  const denied = ['GET https://api.example.com/other', 'GET https://api.example.com:8443/red/x'].map(
    (text, at) => {
      const decision = current().decide(red, access(text), 0);
      assert.ok(decision.effect === 'deny');
      return event(`red denied ${at}`, {
        sessionId: redSession,
        verdict: 'deny',
        rule: decision.rule.name,
        message: decision.operatorReason,
      });
    },
  );
  const blue = {
    sessionId: blueSession,
    traceId: blueTrace,
    principal: 'issuer|canary-blue-session',
    host: 'canary-blue-host.example.com',
    path: '/canary-blue-path',
    rule: 'canary-blue-read',
    injected: ['canary-blue-credential'],
  };
  return [event('e1', { sessionId: redSession }), ...denied, event('b1', blue), event('b2', blue)];
}

interface Reading {
  readonly operation: string;
  readonly target: string;
}

const values: Readonly<Record<string, readonly string[]>> = {
  '/v1/exchanges/{id}': ['e1', 'red denied 0', 'b1', 'none'],
  '/v1/exchanges/{id}/bodies': ['e1', 'b1', 'none'],
  '/v1/sessions/{id}': [redSession, blueSession, 'none'],
  '/v1/sessions/{id}/leases': [redSession, blueSession, 'none'],
  '/v1/access/{id}': ['wish of red', blueWish, 'none'],
  '/v1/policy/versions/{id}': ['red@1', 'canary-blue@1', 'none@1'],
  '/v1/policy/published/{id}': ['red', 'canary-blue', 'none'],
};

/** What is asked by query, beside no query at all; each query names what is of blue too. */
const queries: Readonly<Record<string, readonly string[]>> = {
  session: [redSession, blueSession],
  principal: ['issuer|canary-blue-session'],
  host: ['canary-blue-host.example.com', '.example.com'],
  trace: [blueTrace.slice(0, 8)],
  rule: ['canary-blue-read'],
  before: ['b1', 'e1', blueSession, blueWish],
  after: ['b1', 'e1'],
  count: ['1'],
  all: ['true'],
  state: ['pending'],
  policy: ['canary-blue'],
  verdict: ['deny'],
};

interface Described {
  readonly get?: {
    readonly operationId: string;
    readonly parameters?: readonly { readonly in: string; readonly name: string }[];
  };
}

/** Every operation of the document that reads, with each of its parameters. */
function readings(): readonly Reading[] {
  const { paths } = adminOpenApi('0.1.0') as { readonly paths: Readonly<Record<string, Described>> };
  return Object.entries(paths).flatMap(([path, { get }]) => {
    if (get === undefined || get.operationId === 'follow') return [];
    const filled = path.includes('{') ? values[path] : [''];
    assert.ok(filled !== undefined, `what is asked at ${path}?`);
    const asked = (get.parameters ?? []).flatMap((one) =>
      one.in === 'query'
        ? (queries[one.name] ?? []).map((value) => `?${one.name}=${encodeURIComponent(value)}`)
        : [],
    );
    return filled.flatMap((id) =>
      ['', ...asked].map((query) => ({
        operation: get.operationId,
        target: `${path.replace(/\{id\}/, encodeURIComponent(id))}${query}`,
      })),
    );
  });
}

for (const mode of ['files', 'published'] as const) {
  test(`by no operation that reads is a name of another team to be had, with policies ${mode}`, async () => {
    await using opened = await openScene(mode);
    const { scene, bound, all } = opened;
    const found = new Set<string>();
    const asked = readings();
    assert.ok(asked.length > 60, String(asked.length));
    for (const { operation, target } of asked) {
      const { status, text, headers } = await scene.call('GET', target, { token: bound });
      assert.doesNotMatch(`${text}\n${JSON.stringify(headers)}`, canary, `${operation} ${target} ${status}`);
      const whole = await scene.call('GET', target, { token: all });
      if (whole.status === 200 && canary.test(whole.text)) found.add(operation);
    }
    // They are there for who sees all: else nothing was shown.
    const wanted = [
      'credentials',
      'exchange',
      'exchanges',
      'exportEvents',
      'policy',
      'session',
      'sessionLeases',
      'sessions',
      'tokens',
    ];
    for (const operation of [...wanted, 'accessRequests', 'policyText'])
      if (operation !== 'policyText' || mode === 'files') assert.ok(found.has(operation), operation);
    const rules = (await scene.call('GET', '/v1/policy', { token: bound })).text;
    assert.match(rules, /red-read/);
    assert.match((await scene.call('GET', '/v1/exchanges', { token: bound })).text, /red denied 0/);
  });

  test(`no question names a rule of another team either, with policies ${mode}`, async () => {
    await using opened = await openScene(mode);
    const { scene, bound, all } = opened;
    for (const url of [`https://${shared}/other`, `https://${shared}:8443/`, `https://${shared}/x`]) {
      const body = { method: 'GET', url, session: redSession };
      const { status, text } = await scene.call('POST', '/v1/policy/explain', { token: bound, body });
      assert.equal(status, 200, text);
      assert.doesNotMatch(text, canary, url);
      const mine = await scene.call('POST', '/v1/policy/explain', {
        token: all,
        body: { ...body, session: blueSession },
      });
      assert.match(mine.text, canary, url);
    }
    const files = [
      { name: 'p.yaml', text: 'rules: [{ name: a, hosts: a.example.com, inject: canary-blu-credential }]' },
    ];
    for (const [path, body] of [
      ['/v1/policy/check', { files }],
      ['/v1/policy/explain', { files, method: 'GET', url: 'https://a.example.com/' }],
    ] as const) {
      const told = await scene.call('POST', path, { token: bound, body });
      assert.equal(told.status, 200, told.text);
      assert.doesNotMatch(told.text.replaceAll('canary-blu-credential', ''), canary);
    }
    const checked = await scene.call('POST', '/v1/policy/check', { token: all, body: { files } });
    assert.match(checked.text, /it has .*canary-blue-credential/);
  });
}

test('health counts nothing of others, and no policy of others is said to be refused', async () => {
  await using opened = await openScene('published');
  const { scene, bound, all } = opened;
  const health = async (token: string) =>
    (await scene.call('GET', '/v1/health', { token })).json as Record<string, unknown>;
  assert.deepEqual(
    [(await health(bound))['tunnels'], (await health(bound))['followers']],
    [undefined, undefined],
  );
  assert.equal((await health(all))['tunnels'], 2);
  const stale = async (token: string) =>
    ((await health(token))['policy'] as { staleSeconds: number }).staleSeconds;
  assert.ok((await stale(all)) > 0);
  assert.equal(await stale(bound), 0);
});

test('who follows gets nothing of others, however much of it comes', async () => {
  await using opened = await openScene('files');
  const { scene, bound } = opened;
  const following = request({
    socketPath: scene.socket,
    path: '/v1/exchanges/follow?after=e1',
    headers: { host: 'localhost', authorization: `Bearer ${bound}` },
  });
  const seen = await new Promise<string>((resolve, reject) => {
    let text = '';
    following.on('error', reject);
    following.on('response', (response) => {
      response.on('data', (piece: Buffer) => {
        text += piece.toString('utf8');
        if (text.includes('red denied 1')) resolve(text);
      });
    });
    following.end();
  });
  following.destroy();
  assert.doesNotMatch(seen, canary);
  assert.equal(seen.split('\n').filter((line) => line.startsWith('id: ')).length, 2);
});
