import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessRequest, Decision } from '../../../src/policy/decision.ts';
import { NarrowedPolicy } from '../../../src/policy/narrowed-policy.ts';
import type { SessionResponse } from '../../../src/protocol/session-messages.ts';
import {
  sessionCommitPath,
  sessionNarrowPath,
  sessionPath,
  tunnelPath,
} from '../../../src/protocol/session-messages.ts';
import { access as accessOf, policyOf } from '../../policy/fixture.ts';
import {
  type AgentKey,
  createAgentKey,
  openTestSessions,
  origin,
  proofOf,
  type TestAgent,
  type TestSessions,
} from '../session-fixture.ts';

const code = (expected: string) => ({ name: 'ProxyError', code: expected });
const readOnly = 'rules: [{ name: read, hosts: api.test, methods: [GET] }]';

async function rootOf(sessions: TestSessions): Promise<TestAgent> {
  const agent = await sessions.enrol(sessions.token({ team: 'build' }));
  await sessions.service.commit(agent.request('POST', sessionCommitPath));
  return agent;
}

interface NarrowOptions {
  readonly policy?: string;
  readonly key?: AgentKey;
  readonly more?: object;
}

async function narrow(
  sessions: TestSessions,
  parent: TestAgent,
  { policy = readOnly, key = createAgentKey(), more = {} }: NarrowOptions = {},
): Promise<TestAgent & { readonly response: SessionResponse }> {
  const body = { key: key.jwk, policy, confined: true, agent: { version: '0.2.0' }, ...more };
  const response = await sessions.service.narrow(parent.request('POST', sessionNarrowPath), body);
  const accessToken = response.access_token;
  return {
    response,
    sessionId: response.session_id,
    accessToken,
    key,
    request: (method, path) => ({
      authorization: `DPoP ${accessToken}`,
      proof: proofOf(key, { method, url: `${origin}${path}`, nowMs: sessions.nowMs(), accessToken }),
      method,
      url: `${origin}${path}`,
      nowMs: sessions.nowMs(),
    }),
  };
}

/** What a session may by a policy that lets the root do everything at two hosts. */
async function decide(sessions: TestSessions, agent: TestAgent, access: AccessRequest): Promise<Decision> {
  const { principal } = await sessions.service.authenticate(agent.request('GET', tunnelPath));
  const base = policyOf('rules: [{ name: all, hosts: [api.test, other.test] }]');
  return new NarrowedPolicy(base).decide(principal, access, sessions.nowMs());
}

const get = accessOf('GET https://api.test/x');
const post = accessOf('POST https://api.test/x');
const elsewhere = accessOf('GET https://other.test/x');
const beyond = accessOf('GET https://third.test/x');

test('a session that another made is bound to a key of its own, and may what both may', async () => {
  await using sessions = await openTestSessions();
  const root = await rootOf(sessions);
  const child = await narrow(sessions, root);
  const effects = async (agent: TestAgent): Promise<readonly string[]> =>
    Promise.all(
      [get, post, elsewhere, beyond].map(async (one) => (await decide(sessions, agent, one)).effect),
    );
  assert.deepEqual(await effects(root), ['allow', 'allow', 'allow', 'deny']);
  assert.deepEqual(await effects(child), ['allow', 'deny', 'deny', 'deny']);
  const wide = 'rules: [{ name: wide, hosts: "*", dangerouslyAllowWideHosts: true }]';
  const second = await narrow(sessions, child, { policy: wide });
  assert.deepEqual(await effects(second), ['allow', 'deny', 'deny', 'deny']);
  const { principal } = await sessions.service.authenticate(second.request('GET', tunnelPath));
  assert.equal(principal.narrowed?.rootId, root.sessionId);
  assert.deepEqual(
    principal.narrowed.steps.map(({ sessionId }) => sessionId),
    [child.sessionId, second.sessionId],
  );
  const renewed = await sessions.service.renew(second.request('POST', sessionPath));
  assert.equal(renewed.session_id, second.sessionId);
});

test('no token of one session serves another one above or below it', async () => {
  await using sessions = await openTestSessions();
  const root = await rootOf(sessions);
  const child = await narrow(sessions, root);
  for (const [token, key] of [
    [root.accessToken, child.key],
    [child.accessToken, root.key],
  ] as const) {
    const url = `${origin}${tunnelPath}`;
    const proof = proofOf(key, { method: 'GET', url, nowMs: sessions.nowMs(), accessToken: token });
    const request = { authorization: `DPoP ${token}`, proof, method: 'GET', url, nowMs: sessions.nowMs() };
    await assert.rejects(sessions.service.authenticate(request), code('proof_invalid'));
  }
});

test('its access token says nothing of the session, and is of a type that no earlier gateway takes', async () => {
  await using sessions = await openTestSessions();
  const child = await narrow(sessions, await rootOf(sessions));
  const [header = '', payload = ''] = child.accessToken.split('.');
  const read = (part: string): Record<string, unknown> =>
    JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
  assert.equal(read(header)['typ'], 'upstreamproxy-child-access+jwt');
  assert.equal(read(payload)['ses'], undefined);
});

test('ending a session ends those below it at once, and the audit says of each whose end it was', async () => {
  await using sessions = await openTestSessions();
  const ended: string[] = [];
  sessions.service.onEnded((id) => ended.push(id));
  const root = await rootOf(sessions);
  const child = await narrow(sessions, root);
  const below = await narrow(sessions, child);
  assert.equal(await sessions.service.revoke(root.sessionId, 'copied'), true);
  const ids = [root.sessionId, child.sessionId, below.sessionId];
  assert.deepEqual(ended.toSorted(), ids.toSorted());
  for (const one of [child, below]) {
    await assert.rejects(
      sessions.service.authenticate(one.request('GET', tunnelPath)),
      code('session_revoked'),
    );
    await assert.rejects(sessions.service.renew(one.request('POST', sessionPath)), code('session_revoked'));
    await assert.rejects(narrow(sessions, one), code('session_revoked'));
  }
  const told = sessions.audit.events.map(({ action, sessionId }) => [action, ids.indexOf(sessionId ?? '')]);
  assert.deepEqual(told, [
    ['enrolled', 0],
    ['committed', 0],
    ['narrowed', 1],
    ['narrowed', 2],
    ['revoked', 0],
    ['revoked', 1],
    ['revoked', 2],
  ]);
  const { details } = sessions.audit.events[3] ?? {};
  assert.equal(details?.['parent'], child.sessionId);
  assert.deepEqual(details['above'], [root.sessionId, child.sessionId]);
});

test('a session that lives though one above it is over is refused', async () => {
  await using sessions = await openTestSessions();
  const root = await rootOf(sessions);
  const child = await narrow(sessions, root);
  const found = sessions.store.sessions.find.bind(sessions.store.sessions);
  sessions.store.sessions.find = async (id) => {
    const session = await found(id);
    return id === root.sessionId && session !== undefined
      ? { ...session, state: 'revoked', reason: 'lost', overMs: 1 }
      : session;
  };
  await assert.rejects(
    sessions.service.authenticate(child.request('GET', tunnelPath)),
    code('session_revoked'),
  );
});

test('a session that ended takes none of its parent along, and lives at most as long as asked for', async () => {
  await using sessions = await openTestSessions();
  const root = await rootOf(sessions);
  const child = await narrow(sessions, root, { more: { lifetime_ms: 60_000 } });
  const other = await narrow(sessions, root);
  assert.equal(child.response.expires_in, 60);
  await sessions.service.end(other.request('DELETE', sessionPath));
  sessions.advance(60_000);
  await assert.rejects(sessions.service.renew(child.request('POST', sessionPath)), code('session_unknown'));
  await sessions.service.authenticate(root.request('GET', tunnelPath));
});

test('nothing is made by a session that is not committed, nor with a wrong proof, body or policy', async () => {
  await using sessions = await openTestSessions({ limits: { childSessionsMax: 100 } });
  const fresh = await sessions.enrol(sessions.token());
  await assert.rejects(narrow(sessions, fresh), code('session_unknown'));
  await sessions.service.commit(fresh.request('POST', sessionCommitPath));
  const wrong = fresh.request('POST', sessionPath);
  await assert.rejects(
    sessions.service.narrow({ ...wrong, url: `${origin}${sessionNarrowPath}` }, {}),
    code('proof_invalid'),
  );
  for (const more of [{ key: { kty: 'RSA' } }, { policy: 7 }, { lifetime_ms: 0 }, { confined: 'yes' }])
    await assert.rejects(narrow(sessions, fresh, { more }), code('request_malformed'));
  for (const policy of [
    '',
    'rules: [',
    'rules: [{ name: a, hosts: api.test, inject: npm }]',
    'rules: [{ name: a, hosts: api.test, addresses: 10.0.0.0/8 }]',
    'rules: [{ name: a, hosts: api.test, mode: observe }]',
    'rules: [{ name: a, hosts: api.test, when: "true" }]',
    'rules: [{ name: a, hosts: api.test, expires: 2030-01-31T12:00:00Z }]',
    'mode: observe',
    'groups: { a: { hosts: api.test } }\nrules: [{ name: a, hosts: api.test }]',
    'rules: [{ name: a, include: a }]',
  ])
    await assert.rejects(narrow(sessions, fresh, { policy }), code('request_malformed'), policy);
  const large = `# ${'x'.repeat(16_384)}\n${readOnly}`;
  await assert.rejects(narrow(sessions, fresh, { policy: large }), { limit: 'childPolicyBytesMax' });
  assert.equal((await sessions.store.sessions.list({ limit: 9 })).length, 1);
});

test('who asks too often for others waits, however the requests end', async () => {
  await using sessions = await openTestSessions({ limits: { childSessionsMax: 3 } });
  const root = await rootOf(sessions);
  const child = await narrow(sessions, root);
  for (const one of [root, child])
    await assert.rejects(narrow(sessions, one, { policy: 'x' }), code('request_malformed'));
  await assert.rejects(narrow(sessions, child), { limit: 'narrowingsPerSecondMax', retryAfterSeconds: 1 });
  sessions.advance(1_000);
  await narrow(sessions, child);
});

test('there are so many at a time below one root, and so many below each other', async () => {
  await using sessions = await openTestSessions({ limits: { childSessionsMax: 5 } });
  const root = await rootOf(sessions);
  let last = root;
  for (let depth = 0; depth < 4; depth += 1) last = await narrow(sessions, last);
  await assert.rejects(narrow(sessions, last), { limit: 'childDepthMax' });
  sessions.advance(5_000);
  await narrow(sessions, root);
  await assert.rejects(narrow(sessions, root), { limit: 'childSessionsMax' });
});

test('a session whose beginning cannot be recorded is over, for nobody hears of it', async () => {
  await using sessions = await openTestSessions();
  const root = await rootOf(sessions);
  sessions.audit.flush = () => Promise.reject(new Error('the disk is full'));
  await assert.rejects(narrow(sessions, root));
  // Of those that ended by themselves it tells nothing.
  assert.deepEqual(await sessions.store.sessions.below({ id: root.sessionId }), []);
});
