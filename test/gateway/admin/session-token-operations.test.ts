import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OutputOf } from '../../../src/api/admin/routes.ts';
import { ownIssuer, verifySessionToken } from '../../../src/gateway/sessions/session-token.ts';
import type { SigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
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

test('without a written event there is no token', async () => {
  await using scene = await openAdminScene();
  const token = await scene.token('operator');
  scene.audit.flush = () => Promise.reject(new ProxyError('audit_unavailable', 'a test'));
  const response = await scene.call('POST', path, { token, body: { subject: 'a' } });
  assert.equal(response.status, 503, response.text);
  assert.doesNotMatch(response.text, /eyJ/);
});
