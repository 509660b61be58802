// Every operation with every role: allowed and refused, and each response as its schema says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AdminRoute } from '../../../src/api/admin/route.ts';
import { type AdminOperation, adminRoutes } from '../../../src/api/admin/routes.ts';
import { adminRoles, coversRole } from '../../../src/api/admin/roles.ts';
import {
  type AdminResponse,
  type CallOptions,
  event,
  openAdminScene,
  policyText,
  type AdminScene,
} from './admin-fixture.ts';

/** What each operation is asked here; the path's braces are filled. */
const questions: Readonly<
  Record<
    Exclude<AdminOperation, 'follow' | 'logIn' | 'logInWays'>,
    { readonly path: string } & Pick<CallOptions, 'body'>
  >
> = {
  who: { path: '/v1/who' },
  logOut: { path: '/v1/log-out' },
  health: { path: '/v1/health' },
  changes: { path: '/v1/changes?wait=1' },
  exchanges: { path: '/v1/exchanges?host=api.example.com&count=2' },
  exportEvents: { path: '/v1/exchanges/export?since=2020-01-01T00:00:00Z&count=1' },
  openExchanges: { path: '/v1/exchanges/open?seconds=0&count=1' },
  exchange: { path: '/v1/exchanges/e1' },
  exchangeBodies: { path: '/v1/exchanges/e1/bodies' },
  sessions: { path: '/v1/sessions?all=true' },
  session: { path: '/v1/sessions/red' },
  sessionLeases: { path: '/v1/sessions/red/leases' },
  revokeSession: { path: '/v1/sessions/red/revoke', body: { reason: 'a test' } },
  issueSessionToken: { path: '/v1/session-tokens', body: { subject: 'build-17', claims: { team: 'red' } } },
  withdrawSessionToken: {
    path: '/v1/session-tokens/0f8fad5b-d9cb-469f-a165-70867728950e/withdraw',
    body: { reason: 'a test' },
  },
  accessRequests: { path: '/v1/access?state=pending' },
  accessRequest: { path: '/v1/access/wish%20of%20red' },
  grantAccess: { path: '/v1/access/wish%20of%20red/grant', body: { seconds: 900 } },
  denyAccess: { path: '/v1/access/wish%20of%20blue/deny', body: { note: 'not this' } },
  revokeAccess: { path: '/v1/access/wish%20of%20red/revoke', body: {} },
  decideQuestion: { path: '/v1/access/wish%20of%20blue/decide', body: { decision: 'once' } },
  policy: { path: '/v1/policy' },
  checkPolicy: { path: '/v1/policy/check', body: { files: [{ name: 'p.yaml', text: policyText }] } },
  explainPolicy: {
    path: '/v1/policy/explain',
    body: { method: 'GET', url: 'https://api.example.com/x', session: 'blue' },
  },
  policyText: { path: '/v1/policy/text' },
  policyHistory: { path: '/v1/policy/history?policy=main&count=1' },
  policyVersion: { path: '/v1/policy/versions/main@1' },
  publishedPolicy: { path: '/v1/policy/published/main' },
  publishPolicy: {
    path: '/v1/policy/published/main',
    body: { files: [{ name: 'p.yaml', text: policyText }], seen: 1, note: 'a test' },
  },
  rollBackPolicy: { path: '/v1/policy/published/main/rollback', body: { to: 1, seen: 2 } },
  withdrawPolicy: { path: '/v1/policy/published/main/withdraw', body: { seen: 3 } },
  diffPolicy: {
    path: '/v1/policy/diff',
    body: { before: { version: 'main@1' }, after: { files: [{ name: 'p.yaml', text: policyText }] } },
  },
  replayPolicy: { path: '/v1/policy/replay', body: { version: 'main@1', count: 10 } },
  replayWhole: { path: '/v1/policy/replay/whole', body: { version: 'main@1' } },
  verifyAudit: { path: '/v1/audit/verify', body: {} },
  uses: { path: '/v1/uses?kind=rule' },
  hours: { path: '/v1/uses/hours?hours=24' },
  grantUses: { path: '/v1/uses/grants?ids=abc' },
  gateways: { path: '/v1/gateways' },
  forgetPackages: {
    path: '/v1/packages/forget',
    body: { registry: 'go', name: 'example.com/mod', dry: false },
  },
  credentials: { path: '/v1/credentials' },
  limits: { path: '/v1/limits' },
  metrics: { path: '/v1/metrics' },
  tokens: { path: '/v1/tokens' },
  makeToken: { path: '/v1/tokens', body: { name: 'ci', role: 'viewer', seconds: 3600 } },
  revokeToken: { path: '/v1/tokens/gone' },
  openapi: { path: '/v1/openapi.json' },
};

// The keys are the operations; Object.entries forgets that.
const asked = Object.entries(questions) as [
  keyof typeof questions,
  (typeof questions)['who'] & CallOptions,
][];

/** Of what goes on, the last of it. */
function valueOf({ form }: AdminRoute, { text, json }: AdminResponse): unknown {
  if (form === 'stream') return JSON.parse(/.*data: (.*)\n\n$/s.exec(text)?.[1] ?? 'null') as unknown;
  return form === 'text' ? text : json;
}

async function openScene(): Promise<AdminScene> {
  const scene = await openAdminScene();
  await scene.append([event('e1'), event('e2', { sessionId: 'blue' })]);
  await scene.token('viewer', { id: 'gone' });
  await scene.store.policies.publish(
    {
      policy: 'main',
      files: [{ name: 'p.yaml', text: 'rules: []' }],
      version: 'v',
      publishedMs: scene.nowMs,
      publishedBy: 'ada',
    },
    0,
    { policiesMax: 10, policyVersionsMax: 10 },
  );
  return scene;
}

test('an operation serves the roles that cover its own, and refuses the others by naming it', async () => {
  for (const role of adminRoles) {
    await using scene = await openScene();
    const token = await scene.token(role);
    const before = scene.audit.events.length;
    for (const [operation, { path, body }] of asked) {
      const route: AdminRoute = adminRoutes[operation];
      const response = await scene.call(route.method, path, { token, body });
      const where = `${operation} as ${role}: ${response.text.slice(0, 200)}`;
      if (operation === 'decideQuestion' && coversRole(role, route.role)) {
        // No rule of this version asks, so whatever is there is no question.
        assert.match(response.text, /"code":"state_changed"/, where);
        continue;
      }
      if (coversRole(role, route.role)) {
        assert.equal(response.status, route.status ?? 200, where);
        const value = valueOf(route, response);
        assert.ok(route.output.safeParse(value).success, where);
        continue;
      }
      assert.equal(response.status, 403, where);
      assert.match(response.text, new RegExp(`"code":"operator_refused"`), where);
      assert.ok(response.text.includes(`needs the role ${route.role}`), where);
    }
    if (role === 'viewer') assert.equal(scene.audit.events.length, before, 'who only looks changes nothing');
  }
});

test('without a token nothing is served, whatever is asked', async () => {
  await using scene = await openScene();
  for (const [operation, { path, body }] of asked) {
    const { method } = adminRoutes[operation];
    for (const token of [undefined, 'x', `upadm_${'A'.repeat(43)}`]) {
      const response = await scene.call(method, path, { token, body });
      assert.equal(response.status, 401, operation);
      assert.equal(response.headers['www-authenticate'], 'Bearer');
      assert.doesNotMatch(response.text, /example\.com|issuer\|/);
    }
  }
  assert.equal(scene.strangers.length, asked.length * 3);
});

test('a token that expired, was revoked or is of another version opens nothing', async () => {
  await using scene = await openScene();
  const expired = await scene.token('administrator', { expiresMs: scene.nowMs });
  const strange = await scene.token('administrator', { role: 'emperor' });
  const revoked = await scene.token('administrator', { id: 'revoked' });
  assert.equal((await scene.call('GET', '/v1/who', { token: revoked })).status, 200);
  await scene.store.operators.revoke('revoked', scene.nowMs);
  for (const [token, why] of [
    [expired, /expired/],
    [revoked, /revoked/],
    [strange, /another version/],
  ] as const) {
    const response = await scene.call('GET', '/v1/who', { token });
    assert.equal(response.status, 401);
    assert.match(response.text, why);
  }
});

test('a user of this machine has the role that the configuration gives them, and no other has one', async () => {
  const uid = process.getuid?.() ?? 0;
  {
    await using scene = await openAdminScene(new Map([[uid, 'operator']]));
    const who = await scene.call('GET', '/v1/who');
    assert.deepEqual(who.json, { name: `uid ${uid} at the socket`, role: 'operator', by: 'socket' });
    assert.equal((await scene.call('GET', '/v1/tokens')).status, 403);
    // A token that is not good is not made good by who sends it.
    assert.equal((await scene.call('GET', '/v1/who', { token: 'nonsense' })).status, 401);
  }
  await using scene = await openAdminScene(new Map([[uid + 1, 'administrator']]));
  const refused = await scene.call('GET', '/v1/who');
  assert.equal(refused.status, 401);
  assert.match(refused.text, new RegExp(`the user with the id ${uid} has no role in admin\\.socketRoles`));
});
