import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sessionCommitPath, sessionPath, tunnelPath } from '../../../src/protocol/session-messages.ts';
import {
  createAgentKey,
  enrolUrl,
  openTestSessions,
  posture,
  proofOf,
  type TestAgent,
  type TestSessions,
} from '../session-fixture.ts';

const commitOf = (agent: TestAgent) => agent.request('POST', sessionCommitPath);
const code = (expected: string) => ({ name: 'ProxyError', code: expected });

test('an enrolled agent is authenticated as the principal of its token', async () => {
  await using sessions = await openTestSessions();
  const agent = await sessions.enrol(sessions.token({ team: 'build' }));
  const { principal, expiresMs } = await sessions.service.authenticate(agent.request('GET', tunnelPath));
  assert.equal(principal.id, 'https://gateway.test|job-1');
  assert.equal(principal.sessionId, agent.sessionId);
  assert.equal(principal.claims['team'], 'build');
  assert.deepEqual(principal.posture, [
    'nondumpable',
    'untraced',
    'core-limit-zero',
    'inspector-closed',
    'environment-clean',
  ]);
  assert.equal(expiresMs, sessions.nowMs() + 86_400_000);
  assert.deepEqual(sessions.audit.actions, ['enrolled']);
  // Without them a recorded decision could not be made again.
  const { claims, posture } = sessions.audit.events[0]?.details ?? {};
  assert.equal((claims as Record<string, unknown>)['team'], 'build');
  assert.equal((posture as Record<string, unknown>)['nondumpable'], true);
});

test('the response carries what the policy says of the session', async () => {
  await using sessions = await openTestSessions();
  const key = createAgentKey();
  const response = await sessions.service.enrol({
    token: sessions.token(),
    proof: proofOf(key),
    url: enrolUrl,
    body: { key: key.jwk, posture, agent: { version: '1' }, later: 'ignored' },
    nowMs: sessions.nowMs(),
  });
  assert.deepEqual(
    { ...response, session_id: '', access_token: '', link_keys: response.link_keys.length },
    {
      session_id: '',
      access_token: '',
      link_keys: 1,
      token_type: 'DPoP',
      expires_in: 900,
      placeholders: { API_KEY: 'placeholder' },
      capture_ports: [8080],
      modes: ['raw', 'tls'],
    },
  );
});

test('a token enrols again before the commit, which revokes the earlier session', async () => {
  await using sessions = await openTestSessions();
  const ended: string[] = [];
  sessions.service.onEnded((sessionId) => ended.push(sessionId));
  const token = sessions.token();
  const first = await sessions.enrol(token);
  const second = await sessions.enrol(token);
  assert.deepEqual(ended, [first.sessionId]);
  await assert.rejects(sessions.service.commit(commitOf(first)), code('session_revoked'));
  await sessions.service.commit(commitOf(second));
  assert.deepEqual(sessions.audit.actions, ['enrolled', 'revoked', 'enrolled', 'committed']);
});

for (const [how, end] of [
  [
    'an operator',
    (sessions: TestSessions, agent: TestAgent) => sessions.service.revoke(agent.sessionId, 'seen twice'),
  ],
  [
    'its agent',
    (sessions: TestSessions, agent: TestAgent) => sessions.service.end(agent.request('DELETE', sessionPath)),
  ],
] as const) {
  test(`a session that ${how} ends before its commit takes its token with it`, async () => {
    await using sessions = await openTestSessions();
    const token = sessions.token();
    await end(sessions, await sessions.enrol(token));
    await assert.rejects(sessions.enrol(token), { code: 'session_revoked', message: /get a new one/ });
    assert.equal(sessions.audit.actions.at(-1), 'refused');
    assert.equal((await sessions.enrol(sessions.token())).sessionId !== '', true);
  });
}

test('a token that enrols after the commit is refused with an alarm, and the session lives on', async () => {
  await using sessions = await openTestSessions();
  const token = sessions.token();
  const agent = await sessions.enrol(token);
  await sessions.service.commit(commitOf(agent));
  await assert.rejects(sessions.enrol(token), code('token_reused'));
  const alarm = sessions.audit.events.at(-1);
  assert.equal(alarm?.kind, 'alarm');
  assert.equal(alarm?.action, 'token_reused');
  assert.equal(alarm?.sessionId, agent.sessionId);
  assert.equal(alarm?.principal, 'https://gateway.test|job-1');
  assert.equal(JSON.stringify(sessions.audit.events).includes(token), false);
  await sessions.service.authenticate(agent.request('GET', tunnelPath));
});

test('a commit may be repeated by its own session and is audited once', async () => {
  await using sessions = await openTestSessions();
  const agent = await sessions.enrol(sessions.token());
  await sessions.service.commit(commitOf(agent));
  await sessions.service.commit(commitOf(agent));
  assert.deepEqual(sessions.audit.actions, ['enrolled', 'committed']);
});

test('of concurrent enrolments with one token exactly one session survives', async () => {
  await using sessions = await openTestSessions();
  const token = sessions.token();
  const agents = await Promise.all([sessions.enrol(token), sessions.enrol(token), sessions.enrol(token)]);
  const outcomes = await Promise.allSettled(agents.map((agent) => sessions.service.commit(commitOf(agent))));
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  assert.equal((await sessions.service.list({ living: true })).length, 1);
});

test('a session that is not committed in time ends, and its token may enrol again', async () => {
  await using sessions = await openTestSessions();
  const token = sessions.token();
  const agent = await sessions.enrol(token);
  sessions.advance(120_000);
  await assert.rejects(sessions.service.commit(commitOf(agent)), code('session_unknown'));
  const again = await sessions.enrol(token);
  await sessions.service.commit(commitOf(again));
});

test('renewal takes an expired access token, other requests do not', async () => {
  await using sessions = await openTestSessions();
  const agent = await sessions.enrol(sessions.token());
  await sessions.service.commit(commitOf(agent));
  sessions.advance(931_000);
  await assert.rejects(
    sessions.service.authenticate(agent.request('GET', tunnelPath)),
    code('token_expired'),
  );
  const response = await sessions.service.renew(agent.request('POST', sessionPath));
  assert.equal(response.session_id, agent.sessionId);
  const accessToken = response.access_token;
  const url = enrolUrl.replace(sessionPath, tunnelPath);
  await sessions.service.authenticate({
    authorization: `DPoP ${accessToken}`,
    proof: proofOf(agent.key, { method: 'GET', url, nowMs: sessions.nowMs(), accessToken }),
    method: 'GET',
    url,
    nowMs: sessions.nowMs(),
  });
  assert.equal(sessions.audit.actions.at(-1), 'renewed');
});

test('no renewal carries a session beyond its longest life', async () => {
  await using sessions = await openTestSessions({ limits: { sessionLifetimeMs: 1_000_000 } });
  const agent = await sessions.enrol(sessions.token());
  await sessions.service.commit(commitOf(agent));
  sessions.advance(900_000);
  const response = await sessions.service.renew(agent.request('POST', sessionPath));
  assert.equal(response.expires_in, 100);
  sessions.advance(100_000);
  await assert.rejects(sessions.service.renew(agent.request('POST', sessionPath)), code('session_unknown'));
});

test('an ended session is over for every request', async () => {
  await using sessions = await openTestSessions();
  const agent = await sessions.enrol(sessions.token());
  await sessions.service.end(agent.request('DELETE', sessionPath));
  await assert.rejects(
    sessions.service.authenticate(agent.request('GET', tunnelPath)),
    code('session_unknown'),
  );
  await assert.rejects(sessions.service.renew(agent.request('POST', sessionPath)), code('session_unknown'));
  assert.equal(sessions.audit.actions.at(-1), 'ended');
});

test('a revoked session is told to its listeners once, with the reason', async () => {
  await using sessions = await openTestSessions();
  const told: string[] = [];
  sessions.service.onEnded((sessionId, reason) => told.push(`${sessionId} ${reason}`));
  const agent = await sessions.enrol(sessions.token());
  assert.equal(await sessions.service.revoke(agent.sessionId, 'laptop lost'), true);
  assert.equal(await sessions.service.revoke(agent.sessionId, 'again'), false);
  assert.equal(await sessions.service.revoke('unknown', 'x'), false);
  assert.deepEqual(told, [`${agent.sessionId} laptop lost`]);
  await assert.rejects(
    sessions.service.authenticate(agent.request('GET', tunnelPath)),
    code('session_revoked'),
  );
  assert.deepEqual(sessions.audit.actions, ['enrolled', 'revoked']);
});

test('an access token without its key is worthless', async () => {
  await using sessions = await openTestSessions();
  const agent = await sessions.enrol(sessions.token());
  const request = agent.request('GET', tunnelPath);
  const thief = createAgentKey();
  const { accessToken } = agent;
  const proof = proofOf(thief, { method: 'GET', url: request.url, accessToken });
  await assert.rejects(sessions.service.authenticate({ ...request, proof }), code('proof_invalid'));
  await assert.rejects(
    sessions.service.authenticate({ ...request, proof: undefined }),
    code('proof_invalid'),
  );
  await assert.rejects(
    sessions.service.authenticate({ ...request, authorization: `Bearer ${accessToken}` }),
    code('token_malformed'),
  );
  await sessions.service.authenticate(request);
  await assert.rejects(sessions.service.authenticate(request), code('proof_invalid'));
});

test('a session token is no access token, and an access token enrols nobody', async () => {
  await using sessions = await openTestSessions();
  const token = sessions.token();
  const agent = await sessions.enrol(token);
  const url = enrolUrl.replace(sessionPath, tunnelPath);
  const proof = proofOf(agent.key, { method: 'GET', url, accessToken: token });
  await assert.rejects(
    sessions.service.authenticate({
      authorization: `DPoP ${token}`,
      proof,
      method: 'GET',
      url,
      nowMs: sessions.nowMs(),
    }),
    code('token_invalid'),
  );
  await assert.rejects(sessions.enrol(agent.accessToken), code('token_invalid'));
});

test('the key of the body must be the key of the proof', async () => {
  await using sessions = await openTestSessions();
  const body = { key: createAgentKey().jwk, posture, agent: { version: '1' } };
  await assert.rejects(
    sessions.service.enrol({
      token: sessions.token(),
      proof: proofOf(createAgentKey()),
      url: enrolUrl,
      body,
      nowMs: sessions.nowMs(),
    }),
    code('proof_invalid'),
  );
  assert.deepEqual(sessions.audit.actions, ['refused']);
  assert.equal((await sessions.service.list()).length, 0);
});

test('a token that enrols without end is stopped', async () => {
  await using sessions = await openTestSessions({ limits: { enrolmentsPerTokenMax: 3 } });
  const token = sessions.token();
  for (let i = 0; i < 3; i += 1) await sessions.enrol(token);
  await assert.rejects(sessions.enrol(token), code('limit_exceeded'));
});

test('without an audit there is no session', async () => {
  await using sessions = await openTestSessions();
  sessions.audit.healthy = false;
  await assert.rejects(sessions.enrol(sessions.token()), code('audit_unavailable'));
  assert.equal((await sessions.service.list()).length, 0);
});

test('strangers cannot fill the audit with refusals', async () => {
  await using sessions = await openTestSessions();
  for (let i = 0; i < 100; i += 1)
    await assert.rejects(sessions.enrol('not-a-token'), code('token_malformed'));
  assert.equal(sessions.audit.events.length, 60);
  sessions.advance(60_000);
  await assert.rejects(sessions.enrol('not-a-token'));
  assert.equal(sessions.audit.events.length, 61);
});
