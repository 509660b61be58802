import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutputOf } from '../../../src/api/admin/routes.ts';
import { ownIssuer, tokenKeyOf, verifySessionToken } from '../../../src/gateway/sessions/session-token.ts';
import { verifyProxyToken } from '../../../src/gateway/sessions/proxy-token.ts';
import type { SigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { newSession } from '../../conformance/new-session.ts';
import type { AdminScene } from './admin-fixture.ts';
import { openAdminScene } from './admin-fixture.ts';

type Issued = OutputOf<'issueSessionToken'>;

const path = '/v1/session-tokens';

/** The scene's own parts, with another word of the configuration. */
function allow(scene: AdminScene, sessionTokens: 'operator' | 'administrator' | undefined): void {
  const admin = {
    socket: undefined,
    socketRoles: {},
    ...(sessionTokens === undefined ? {} : { sessionTokens }),
  };
  Object.assign(scene.parts.config, { admin });
}

test('an issued token starts the session that was asked for, and the audit says whose and by whom', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('operator', { name: 'ci' });
  const body = { subject: 'build-17', claims: { team: 'web', groups: ['a', 'b'] }, seconds: 60 };
  const response = await scene.call('POST', path, { token, body });
  assert.equal(response.status, 201, response.text);
  const issued = response.json as Issued;
  const { tokens } = scene.parts.config;
  const verified = await verifySessionToken(issued.token, {
    trust: [ownIssuer(scene.parts.signingKey as SigningKey, tokens.issuer)],
    audience: tokens.audience,
    nowMs: scene.nowMs,
  });
  assert.deepEqual(
    [verified.subject, verified.claims['team'], verified.claims['groups'], verified.claims['jti']],
    ['build-17', 'web', ['a', 'b'], issued.id],
  );
  assert.equal(Date.parse(issued.expires), scene.nowMs + 60_000);
  const event = scene.audit.events.find(({ action }) => action === 'session_token_issued');
  assert.equal(event?.principal, issued.principal);
  assert.deepEqual([event?.details?.['subject'], event?.details?.['id']], ['build-17', issued.id]);
  assert.match(String(event?.details?.['operator']), /^ci/);
  assert.ok(
    !JSON.stringify(scene.audit.events).includes(issued.token.split('.')[2]!),
    'the token is in no event',
  );
});

test('who may issue is the word of the configuration, and by default nobody is', async () => {
  await using scene = await openAdminScene();
  const [operator, administrator] = [await scene.token('operator'), await scene.token('administrator')];
  const status = async (token: string): Promise<number> =>
    (await scene.call('POST', path, { token, body: { subject: 'a' } })).status;
  allow(scene, 'administrator');
  assert.deepEqual([await status(operator), await status(administrator)], [403, 201]);
  allow(scene, undefined);
  assert.deepEqual([await status(operator), await status(administrator)], [403, 403]);
});

test('who sees some sessions alone issues no token, for its claims could be those of others', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('operator', { sees: { team: 'web' } });
  const response = await scene.call('POST', path, { token, body: { subject: 'a', claims: { team: 'web' } } });
  assert.equal(response.status, 403);
  assert.match(response.text, /sees only some sessions/);
});

test('no claim takes the place of what the issuer says, and none is longer than a token may be', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('operator');
  for (const [claims, why] of [
    [{ sub: 'another' }, /The claim \\"sub\\" is set by the issuer/],
    [{ iss: 'https://login.example.com' }, /The claim \\"iss\\"/],
    [{ exp: 4_000_000_000 }, /The claim \\"exp\\"/],
    [{ a: Array.from({ length: 100 }, () => 'x'.repeat(1000)) }, /tokenBytesMax/],
  ] as const) {
    const response = await scene.call('POST', path, { token, body: { subject: 'a', claims } });
    assert.equal(response.status, 400, JSON.stringify(claims).slice(0, 80));
    assert.match(response.text, why);
  }
  assert.equal(scene.audit.events.filter(({ action }) => action === 'session_token_issued').length, 0);
});

test('a token is taken back by whoever may issue one, once, and the audit says so', async () => {
  await using scene = await openAdminScene();
  const [token, administrator] = [await scene.token('operator'), await scene.token('administrator')];
  const { id, token: text } = (await scene.call('POST', path, { token, body: { subject: 'a' } }))
    .json as Issued;
  const withdraw = (who: string, of: string) =>
    scene.call('POST', `${path}/${of}/withdraw`, { token: who, body: { reason: 'a test' } });
  allow(scene, 'administrator');
  assert.equal((await withdraw(token, id)).status, 403);
  assert.deepEqual((await withdraw(administrator, id)).json, { id, state: 'withdrawn' });
  assert.deepEqual((await withdraw(administrator, id)).json, { id, state: 'withdrawn' });
  for (const wrong of ['a', 'x'.repeat(100), `${id}a`])
    assert.equal((await withdraw(administrator, wrong)).status, 400);
  const { tokens } = scene.parts.config;
  const { tokenKey, expiresMs } = await verifySessionToken(text, {
    trust: [ownIssuer(scene.parts.signingKey as SigningKey, tokens.issuer)],
    audience: tokens.audience,
    nowMs: scene.nowMs,
  });
  // By the key of the very token, and remembered as long as it is good.
  const { sessions, tokens: used } = scene.store;
  assert.equal(
    (await sessions.enrol(newSession('late', { tokenKey }), { enrolmentsPerTokenMax: 10 })).kind,
    'token_withdrawn',
  );
  assert.equal(await used.prune(expiresMs), 0);
  const told = scene.audit.events.filter(({ action }) => action === 'session_token_withdrawn');
  assert.equal(told.length, 1);
  assert.deepEqual([told[0]?.details?.['id'], told[0]?.details?.['tokenKey']], [id, tokenKey]);
  assert.match(String(told[0]?.details?.['operator']), /token/);
});

test('what had begun by a token is revoked with it before its commit, and named after it', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('operator');
  const { issuer } = scene.parts.config.tokens;
  for (const [n, isCommitted] of [false, true].entries()) {
    const id = `0f8fad5b-d9cb-469f-a165-70867728950${n}`;
    await scene.store.sessions.enrol(newSession(id, { tokenKey: tokenKeyOf(issuer, id) }), {
      enrolmentsPerTokenMax: 10,
    });
    if (isCommitted) await scene.store.sessions.commit(id, 2000);
    const before = scene.audit.events.length;
    const { json } = await scene.call('POST', `${path}/${id}/withdraw`, { token, body: {} });
    assert.deepEqual(json, { id, state: isCommitted ? 'used' : 'withdrawn', session: id });
    assert.equal((await scene.store.sessions.find(id))?.state, isCommitted ? 'committed' : 'revoked');
    const actions = scene.audit.events.slice(before).map(({ action }) => action);
    assert.deepEqual(actions, isCommitted ? [] : ['revoked', 'session_token_withdrawn']);
  }
});

test('a proxy token is one for the listener, from its networks alone, where there is one', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('operator');
  const issue = async (body: object) =>
    await scene.call('POST', path, { token, body: { subject: 'legacy', ...body } });
  assert.match((await issue({ kind: 'proxy' })).text, /has no listener for clients without an agent/);
  Object.assign(scene.parts.config, { proxy: { address: '127.0.0.1', port: 1, proxyProtocol: 'refused' } });
  for (const [body, why] of [
    [{ networks: ['10.0.0.0/8'] }, /networks are of proxy tokens/],
    [{ kind: 'proxy', networks: ['everywhere'] }, /is not a network/],
    [{ kind: 'proxy', networks: [] }, /networks/],
    [{ kind: 'proxy', claims: { networks: ['0.0.0.0/0'] } }, /beside the claims/],
    [{ kind: 'proxy', seconds: 86_401 }, /seconds/],
  ] as const) {
    const response = await issue(body);
    assert.equal(response.status, 400, JSON.stringify(body));
    assert.match(response.text, why);
  }
  const issued = (await issue({ kind: 'proxy', networks: ['10.1.0.0/16'] })).json as Issued;
  assert.equal(Date.parse(issued.expires), scene.nowMs + 3_600_000);
  const { issuer, audience } = scene.parts.config.tokens;
  const key = scene.parts.signingKey as SigningKey;
  const verified = await verifyProxyToken(issued.token, { key, issuer, audience, nowMs: scene.nowMs });
  assert.deepEqual(
    [verified.subject, verified.isFrom('10.1.2.3'), verified.isFrom('10.2.2.3')],
    ['legacy', true, false],
  );
  // It starts no session of an agent.
  await assert.rejects(
    verifySessionToken(issued.token, { trust: [ownIssuer(key, issuer)], audience, nowMs: scene.nowMs }),
  );
  const event = scene.audit.events.find(({ action }) => action === 'session_token_issued');
  assert.equal(event?.details?.['kind'], 'proxy');
});

test('a proxy token that is taken back ends its session, which is told as one of the listener', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('operator');
  const { issuer } = scene.parts.config.tokens;
  const id = '0f8fad5b-d9cb-469f-a165-708677289501';
  const { posture, ...begun } = newSession(id, { tokenKey: tokenKeyOf(issuer, id) });
  const session = { ...begun, posture: { ...posture, tokenInContainer: true } };
  await scene.store.sessions.enrol(session, { enrolmentsPerTokenMax: 10 });
  await scene.store.sessions.commit(id, 2000);
  const shown = (await scene.call('GET', `/v1/sessions/${id}`, { token })).json as OutputOf<'session'>;
  assert.deepEqual([shown.way, shown.posture.includes('token-in-container')], ['proxy', true]);
  for (let i = 0; i < 2; i += 1) {
    const { json } = await scene.call('POST', `${path}/${id}/withdraw`, {
      token,
      body: { reason: 'a test' },
    });
    assert.deepEqual(json, { id, state: 'withdrawn', session: id });
  }
  assert.equal((await scene.store.sessions.find(id))?.state, 'revoked');
  assert.equal(scene.audit.events.filter(({ action }) => action === 'revoked').length, 1);
});

test('a token is given again for its tries alone, and never after it expired', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('operator');
  const issue = (key: string, seconds: number) =>
    scene.call('POST', path, {
      token,
      body: { subject: 'a', seconds },
      headers: { 'idempotency-key': key },
    });
  const beganMs = scene.nowMs;
  for (const [key, seconds, keptMs] of [
    ['long', 3600, defaultLimits.adminIdempotencySecretMs],
    ['short', 10, 10_000],
  ] as const) {
    scene.nowMs = beganMs;
    const first = await issue(key, seconds);
    scene.nowMs = beganMs + keptMs - 1;
    assert.equal((await issue(key, seconds)).text, first.text);
    scene.nowMs = beganMs + keptMs;
    const late = await issue(key, seconds);
    assert.equal(late.status, 409);
    assert.match(late.text, /the secret that it gave is not kept/);
  }
  const issued = scene.audit.events.filter(({ action }) => action === 'session_token_issued');
  assert.equal(issued.length, 2, 'nothing was done twice');
});

test('without a written event there is no token', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('operator');
  scene.audit.flush = () => Promise.reject(new ProxyError('audit_unavailable', 'a test'));
  const response = await scene.call('POST', path, { token, body: { subject: 'a' } });
  assert.equal(response.status, 503, response.text);
  assert.doesNotMatch(response.text, /eyJ/);
});
