// Tokens on behalf of a session: whose they are, who acts, and that they end with it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ExchangedTokens,
  type ExchangedTokensOptions,
  type ExchangeSettings,
} from '../../../../src/gateway/credentials/kept/exchanged-tokens.ts';
import { TokenEndpoint } from '../../../../src/gateway/credentials/kept/token-endpoint.ts';
import { BackgroundRenewals } from '../../../../src/gateway/credentials/sources/background-renewals.ts';
import { KeptTokens } from '../../../../src/gateway/credentials/kept/kept-tokens.ts';
import { KeptSeal } from '../../../../src/gateway/credentials/kept/kept-seal.ts';
import { openStore } from '../../../../src/store/open-store.ts';
import type { AuthorizationServerOptions } from '../../../support/authorization-server.ts';
import { fetchOf, issuer, serverOf, signing, signingKey } from './kept-fixture.ts';

const settings: ExchangeSettings = {
  tokenUrl: `${issuer}/token`,
  clientId: 'client',
  scopes: ['read'],
  audience: 'https://api.test',
  revocationUrl: `${issuer}/revoke`,
  ca: [],
  dpop: false,
  actor: true,
  claims: [],
};

async function sceneOf(
  options: Partial<AuthorizationServerOptions> = {},
  changes: Partial<ExchangeSettings> = {},
) {
  const store = await openStore('sqlite::memory:');
  const server = serverOf({ trusted: signingKey.publicKey, ...options });
  const seal = new KeptSeal(store.keptTokens, signingKey);
  const tokens = new KeptTokens({ store: store.keptTokens, seal, holderId: 'a', onFault: () => undefined });
  const logIns = { ...signing, tokens, endpoint: new TokenEndpoint(fetchOf(server)) };
  const background = new BackgroundRenewals({ credentialUnusedMs: 0 });
  const of = (session: ExchangedTokensOptions['session']): ExchangedTokens =>
    new ExchangedTokens({
      name: 'it',
      settings: { ...settings, ...changes },
      clientSecret: undefined,
      logIns,
      session,
      background,
      random: () => 0,
    });
  return { server, of, background, store };
}

const claimsOf = (token: string): Readonly<Record<string, unknown>> =>
  // The test server's own.
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Readonly<
    Record<string, unknown>
  >;
const ada = { rootId: 's1', principalId: 'https://gateway.test|ada' };
const bob = { rootId: 's2', principalId: 'https://gateway.test|bob' };

test('each session has a token of its own, which names its subject and says that the session acts', async () => {
  const { server, of, store } = await sceneOf();
  await using _ = store;
  const nowMs = Date.now();
  const [mine, others] = [of(ada), of(bob)];
  const [one, other] = await Promise.all([mine.read(nowMs), others.read(nowMs)]);
  const { sub, act, aud } = claimsOf(one.reveal());
  assert.deepEqual([sub, act, aud], [ada.principalId, { sub: 'session:s1' }, settings.audience]);
  assert.equal(claimsOf(other.reveal())['sub'], bob.principalId);
  const [asked] = server.asked;
  const stated = claimsOf(asked?.['subject_token'] ?? '');
  assert.deepEqual(
    [stated['iss'], stated['aud'], stated['session']],
    ['https://gateway.test', settings.tokenUrl, 's1'],
  );
  assert.equal(Number(stated['exp']) - Number(stated['iat']), 120);
  assert.deepEqual([asked?.['audience'], asked?.['scope']], [settings.audience, 'read']);
  assert.equal((await mine.read(nowMs + 1_000)).reveal(), one.reveal(), 'once, and not for each request');
  assert.equal(server.asked.length, 2);
  await mine.read(nowMs + 200_000);
  assert.equal(server.asked.length, 3, 'renewed before its end');
  assert.notEqual(claimsOf(server.asked[2]?.['subject_token'] ?? '')['jti'], stated['jti']);
});

test('the token of a session that is over is revoked, and that of another one stays', async () => {
  const { server, of, background, store } = await sceneOf();
  await using _ = store;
  const [mine, others] = [of(ada), of(bob)];
  const [one, other] = [await mine.read(Date.now()), await others.read(Date.now())];
  mine.close();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  background.after(1, async () => resolve(undefined));
  await promise;
  await background[Symbol.asyncDispose]();
  assert.equal(server.revocations, 1);
  assert.ok(!server.isGood(one.reveal()) && server.isGood(other.reveal()));
});

test('what a server gives has to be what was asked for', async () => {
  const refused = async (
    options: Partial<AuthorizationServerOptions>,
    changes: Partial<ExchangeSettings>,
    message: RegExp,
  ): Promise<void> => {
    const { of, store } = await sceneOf(options, changes);
    await using _ = store;
    await assert.rejects(of(ada).read(Date.now()), { code: 'credential_unavailable', message });
  };
  await refused({ impersonates: true }, {}, /does not say who acts \(act\); write actor: false/);
  await refused(
    {},
    { audience: undefined, resource: 'https://api.test/' } as Partial<ExchangeSettings>,
    /for another audience/,
  );
  await refused({}, { dpop: true }, /did not bind the token/);
  await refused({ clientId: 'another' }, {}, /invalid_client/);
  await refused({ issuer: 'https://other.test' }, { tokenUrl: 'https://other.test/else' }, /status 404/);
  const { of, store } = await sceneOf({ impersonates: true }, { actor: false });
  await using _ = store;
  assert.equal(claimsOf((await of(ada).read(Date.now())).reveal())['act'], undefined);
  await assert.rejects(of(undefined).read(Date.now()), /of each session, and this is none/);
});

test('with dpop the token is bound to a key that is of the session alone', async () => {
  const { server, of, store } = await sceneOf({ dpop: true }, { dpop: true });
  await using _ = store;
  const [mine, others] = [of(ada), of(bob)];
  const [one, other] = [await mine.held(Date.now()), await others.held(Date.now())];
  assert.ok(server.isGood(one.secret.reveal()));
  const keyOf = (held: typeof one): unknown => {
    const proof = held.proofKey?.proof({ method: 'GET', url: 'https://api.test/', nowMs: 0 }) ?? '';
    return JSON.parse(Buffer.from(proof.split('.')[0] ?? '', 'base64url').toString());
  };
  assert.notDeepEqual(keyOf(one), keyOf(other));
});

test('the server is told claims of the job by which the session began, each of them or no token', async () => {
  const { server, of, store } = await sceneOf({}, { claims: ['repository', 'ref', 'run', 'teams'] });
  await using _ = store;
  const job = {
    repository: 'example/one',
    ref: 'refs/heads/main',
    run: 7,
    teams: ['a', 'b'],
    actor: 'ada',
    iss: 'https://other.test',
  };
  await of({ ...ada, claims: job }).read(Date.now());
  const asked = server.asked.at(-1);
  const { repository, ref, run, teams, ...rest } = claimsOf(asked?.['subject_token'] ?? '');
  assert.deepEqual([repository, ref, run, teams], ['example/one', 'refs/heads/main', 7, ['a', 'b']]);
  assert.deepEqual(
    [rest['iss'], rest['sub'], rest['actor']],
    ['https://gateway.test', ada.principalId, undefined],
  );
  assert.equal(claimsOf(asked?.['actor_token'] ?? '')['repository'], undefined);
  const count = server.asked.length;
  const { ref: _ref, ...without } = job;
  const wrong = [
    without,
    { ...job, ref: { a: 1 } },
    { ...job, ref: null },
    { ...job, ref: 'x'.repeat(2_000) },
    undefined,
  ];
  for (const claims of wrong)
    await assert.rejects(
      of({ ...bob, ...(claims === undefined ? {} : { claims }) }).read(0),
      /has no claim (ref|repository) /,
    );
  assert.equal(server.asked.length, count);
});
