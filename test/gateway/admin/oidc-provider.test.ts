// What an identity provider, or somebody who stands in its place, may send: only a token that is right in every part makes a session.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';
import { callbackPath } from '../../../src/gateway/admin/browser-log-in.ts';
import { logInPath } from '../../../src/api/admin/log-in-path.ts';
import {
  goodClaims,
  hostileProvider,
  type HostileProvider,
  metadataOf,
  providerJwk,
  signedByProvider,
} from './hostile-provider.ts';
import { clientSecret } from '../../support/identity-provider.ts';
import { type LogInScene, openLogInScene, typed } from './log-in-fixture.ts';
import type { Page } from '../../support/log-in-browser.ts';

interface Attempt {
  readonly token: (issuer: string, nonce: string) => Promise<string>;
  readonly metadata?: HostileProvider['metadata'];
  readonly userinfo?: HostileProvider['userinfo'];
  /** Of the way back. */
  readonly back?: (params: URLSearchParams, issuer: string) => void;
  /** Beside the token. */
  readonly more?: Readonly<Record<string, unknown>>;
}

const good: Attempt['token'] = (issuer, nonce) => signedByProvider(goodClaims(issuer, nonce));

async function attempt(
  { token, metadata = metadataOf, userinfo, back, more }: Attempt,
  look: (page: Page, scene: LogInScene, asked: HostileProvider['asked']) => Promise<void> | void,
): Promise<void> {
  let nonce = '';
  const asked: HostileProvider['asked'] = [];
  const provider: HostileProvider = {
    asked,
    metadata,
    tokens: async (issuer) => ({
      access_token: 'at',
      token_type: 'Bearer',
      id_token: await token(issuer, nonce),
      ...more,
    }),
    ...(userinfo === undefined ? {} : { userinfo }),
  };
  await using scene = await openLogInScene({ provider: hostileProvider(provider) });
  const browser = scene.browser();
  const sent = await browser.get(`${scene.origin}${logInPath}`, { headers: typed });
  assert.equal(sent.status, 303, sent.text);
  const url = new URL(sent.location ?? '');
  const {
    state,
    nonce: asNonce,
    code_challenge_method: method,
    code_challenge: challenge,
  } = Object.fromEntries(url.searchParams);
  nonce = asNonce ?? '';
  assert.equal(method, 'S256');
  assert.match(challenge ?? '', /^[\w-]{43}$/);
  const params = new URLSearchParams({ code: 'code', state: state ?? '', iss: scene.issuer });
  back?.(params, scene.issuer);
  await look(await browser.get(`${scene.origin}${callbackPath}?${params}`), scene, asked);
}

/** Nobody is logged in, and the audit says so once. */
async function refuses(one: Attempt, told: RegExp, status = 401): Promise<void> {
  await attempt(one, (page, scene) => {
    assert.equal(page.status, status, page.text);
    assert.match(page.text, told);
    assert.equal(
      page.cookies.some((cookie) => cookie.includes('upses_')),
      false,
    );
    assert.deepEqual(scene.admin.audit.actions, ['operator_log_in_failed']);
  });
}

test('the control: a token that is right in every part makes a session; the verifier and the secret go to the token endpoint alone', async () => {
  await attempt({ token: good }, (page, _scene, asked) => {
    assert.equal(page.status, 303, page.text);
    const [, token] = asked;
    assert.deepEqual(
      asked.map(({ path }) => path),
      ['/.well-known/openid-configuration', '/token', '/keys'],
    );
    const form = new URLSearchParams(token?.body);
    assert.match(form.get('code_verifier') ?? '', /^[\w-]{43}$/);
    assert.equal(form.get('redirect_uri')?.endsWith(callbackPath), true);
    const [, pair = ''] = (token?.authorization ?? '').split(' ');
    const [, secret = ''] = Buffer.from(pair, 'base64').toString().split(':');
    // RFC 6749 §2.3.1: form-encoded first.
    assert.equal(new URLSearchParams(`x=${secret}`).get('x'), clientSecret);
  });
});

test('a clock that is some seconds off is no fault, and one that is minutes off is', async () => {
  const shifted =
    (by: number): Attempt['token'] =>
    (issuer, nonce) => {
      const now = Math.floor(Date.now() / 1000);
      return signedByProvider({
        ...goodClaims(issuer, nonce),
        iat: now + by,
        nbf: now + by,
        exp: now + by + 1,
      });
    };
  for (const by of [20, -20])
    await attempt({ token: shifted(by) }, (page) => {
      assert.equal(page.status, 303, `${by}: ${page.text}`);
    });
  for (const by of [300, -300]) await refuses({ token: shifted(by) }, /did not log you in/);
});

test('a token that is wrong in one part makes no session', async () => {
  const changed =
    (changes: Readonly<Record<string, unknown>>): Attempt['token'] =>
    (issuer, nonce) =>
      signedByProvider({ ...goodClaims(issuer, nonce), ...changes });
  const other = await generateKeyPair('RS256');
  const cases: Readonly<Record<string, Attempt['token']>> = {
    'another audience': changed({ aud: 'other' }),
    'several audiences, for another party': changed({ aud: ['upstreamproxy', 'other'], azp: 'other' }),
    'another issuer': changed({ iss: 'https://evil.test' }),
    'the issuer with a slash': (issuer, nonce) =>
      signedByProvider({ ...goodClaims(issuer, nonce), iss: `${issuer}/` }),
    'another nonce': changed({ nonce: 'x' }),
    'no nonce': changed({ nonce: undefined }),
    'no end': changed({ exp: undefined }),
    nobody: changed({ sub: undefined }),
    'an empty name': changed({ sub: '' }),
    'a number as a name': changed({ sub: 7 }),
    'a line in a name': changed({ sub: 'a\nb' }),
    'a name with a bidi control': changed({ sub: 'a\u202eb' }),
    'a name that is too long': changed({ sub: 'a'.repeat(256) }),
    'no signature': (issuer, nonce) =>
      Promise.resolve(new UnsecuredJWT({ ...goodClaims(issuer, nonce) }).encode()),
    'the secret of the client as key': (issuer, nonce) =>
      new SignJWT({ ...goodClaims(issuer, nonce) })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(Buffer.from(clientSecret)),
    'the public key as secret': (issuer, nonce) =>
      new SignJWT({ ...goodClaims(issuer, nonce) })
        .setProtectedHeader({ alg: 'HS256', kid: 'one' })
        .sign(Buffer.from(JSON.stringify(providerJwk))),
    'a key of somebody else': (issuer, nonce) =>
      new SignJWT({ ...goodClaims(issuer, nonce) })
        .setProtectedHeader({ alg: 'RS256', kid: 'one' })
        .sign(other.privateKey),
    'a key in the token': (issuer, nonce) =>
      new SignJWT({ ...goodClaims(issuer, nonce) })
        .setProtectedHeader({ alg: 'RS256', kid: 'two', jwk: providerJwk })
        .sign(other.privateKey),
    'a changed text': async (issuer, nonce) => {
      const [head, , signature] = (await good(issuer, nonce)).split('.');
      const claims = { ...goodClaims(issuer, nonce), groups: ['platform'] };
      return [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
    },
    'no token': () => Promise.resolve('x'),
  };
  for (const [what, token] of Object.entries(cases))
    await refuses({ token }, /did not log you in|names nobody/).catch((error: unknown) => {
      throw new Error(what, { cause: error });
    });
});

test('algorithms without a key are refused even where the metadata name them', async () => {
  const metadata = (issuer: string) => ({
    ...metadataOf(issuer),
    id_token_signing_alg_values_supported: ['none', 'HS256', 'RS256'],
  });
  const none: Attempt['token'] = (issuer, nonce) =>
    Promise.resolve(new UnsecuredJWT({ ...goodClaims(issuer, nonce) }).encode());
  const shared: Attempt['token'] = (issuer, nonce) =>
    new SignJWT({ ...goodClaims(issuer, nonce) })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(clientSecret));
  for (const token of [none, shared]) await refuses({ token, metadata }, /did not log you in/);
});

test('a way back that names another issuer, none, or anything twice is refused before the code goes anywhere (RFC 9207)', async () => {
  for (const back of [
    (params: URLSearchParams) => params.set('iss', 'https://evil.test'),
    (params: URLSearchParams) => params.delete('iss'),
    (params: URLSearchParams, issuer: string) => params.append('iss', issuer),
    (params: URLSearchParams) => params.append('state', params.get('state') ?? ''),
    (params: URLSearchParams) => params.append('code', 'other'),
    (params: URLSearchParams) => params.delete('code'),
    (params: URLSearchParams) => params.set('response', 'x.y.z'),
    (params: URLSearchParams) => params.set('id_token', 'x.y.z'),
  ])
    await attempt({ token: good, back }, (page, _scene, asked) => {
      assert.equal(page.status, 401, page.text);
      assert.equal(
        asked.some(({ path }) => path === '/token'),
        false,
      );
    });
});

test('what the provider says of a refusal is told as its word alone, and its texts are not', async () => {
  const evil = '<script>alert(1)</script>';
  const back = (error: string) => (params: URLSearchParams) => {
    params.delete('code');
    params.set('error', error);
    params.set('error_description', evil);
  };
  await refuses({ token: good, back: back('access_denied') }, /it says access_denied\./);
  await attempt({ token: good, back: back(evil) }, (page, scene) => {
    assert.match(page.text, /it says an error\./);
    assert.equal(JSON.stringify([page.text, scene.admin.audit.events]).includes('alert'), false);
  });
  await refuses(
    { token: good, more: { id_token: undefined, error: evil, error_description: evil } },
    /did not log you in: what it sent is not as it must be \(OAUTH_INVALID_RESPONSE\)/,
  );
});

test('metadata of another issuer, or with a page for log-in that is not https, begin no log-in', async () => {
  for (const metadata of [
    (issuer: string) => ({ ...metadataOf(issuer), issuer: 'https://evil.test' }),
    (issuer: string) => ({ ...metadataOf(issuer), authorization_endpoint: 'http://localhost/authorize' }),
    (issuer: string) => ({ ...metadataOf(issuer), authorization_endpoint: 'javascript:alert(1)' }),
    () => ({}),
  ]) {
    const provider: HostileProvider = { asked: [], metadata, tokens: () => Promise.resolve({}) };
    await using scene = await openLogInScene({ provider: hostileProvider(provider) });
    const page = await scene.browser().get(`${scene.origin}${logInPath}`, { headers: typed });
    assert.equal(page.status, 503, page.text);
    assert.match(page.text, /The identity provider cannot be used: /);
  }
});

test('a token endpoint or keys that are not https are not asked', async () => {
  for (const name of ['token_endpoint', 'jwks_uri'])
    await attempt(
      { token: good, metadata: (issuer) => ({ ...metadataOf(issuer), [name]: 'http://localhost:1/x' }) },
      (page) => {
        assert.notEqual(page.status, 303);
      },
    );
});

test('groups of userinfo count where the token has none, and only for the same person', async () => {
  const metadata = (issuer: string) => ({ ...metadataOf(issuer), userinfo_endpoint: `${issuer}/userinfo` });
  const token: Attempt['token'] = (issuer, nonce) =>
    signedByProvider({ ...goodClaims(issuer, nonce), groups: undefined });
  await attempt({ token, metadata, userinfo: { sub: 'a-1', groups: 'everybody' } }, (page) => {
    assert.equal(page.status, 303, page.text);
  });
  await refuses(
    { token, metadata, userinfo: { sub: 'somebody else', groups: ['everybody'] } },
    /did not log you in/,
  );
  await refuses(
    { token, metadata, userinfo: { sub: 'a-1', groups: { everybody: true } } },
    /none of your groups/,
    403,
  );
});

test('a name that is made to deceive stands in the audit and in who on one line, without control characters', async () => {
  const token: Attempt['token'] = (issuer, nonce) =>
    signedByProvider({
      ...goodClaims(issuer, nonce),
      name: `a\u202e\r\n\u0000${'x'.repeat(1_000)}`,
      email: 7,
    });
  await attempt({ token }, (page, scene) => {
    assert.equal(page.status, 303, page.text);
    const [event] = scene.admin.audit.events;
    const name = String(event?.details?.['name']);
    assert.equal(name.length, 200);
    assert.doesNotMatch(name, /\p{C}/u);
    assert.equal(event?.details?.['email'], undefined);
  });
});
