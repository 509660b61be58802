// Log-in from inside: a tool logs in by itself, the gateway keeps the tokens, and what the tool has is worth nothing elsewhere.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { type InsideScene, membersOf, openInsideScene } from '../support/inside-scene.ts';
import type { RawResponse } from '../support/raw-http.ts';

/** Nothing of what the server gave is in what a tool or the audit got. */
function assertNoSecret(scene: InsideScene, ...texts: readonly unknown[]): void {
  for (const text of [...texts, scene.paths.map(({ audit }) => audit), [...scene.store.rows]]) {
    const whole = JSON.stringify(text);
    for (const secret of scene.server.secrets) assert.equal(whole.includes(secret), false, secret);
  }
}

const bearer = (token: string | undefined): readonly string[] => [`Authorization: Bearer ${token ?? ''}`];

test('a tool logs in by a device code and gets placeholders in the form of the tokens, which serve at the hosts of the log-in alone', async () => {
  await using scene = await openInsideScene({ isForm: true, grantedAtPoll: 2 });
  const device = await scene.form('/device', { client_id: 'cli' });
  const { device_code: code = '', user_code: userCode } = membersOf(device);
  assert.equal(userCode, 'WDJB-MJHT');
  const grant = 'urn:ietf:params:oauth:grant-type:device_code';
  const asked = { client_id: 'cli', grant_type: grant, device_code: code };
  const pending = await scene.form('/token', asked);
  assert.equal(membersOf(pending)['error'], 'authorization_pending');
  const given = await scene.form('/token', asked);
  const { access_token: access = '', refresh_token: refresh, ...rest } = membersOf(given);
  assert.match(access, /^gho_[A-Za-z0-9]{36}$/);
  assert.match(refresh ?? '', /^ghr_[A-Za-z0-9]{60}$/);
  assert.deepEqual(rest, { token_type: 'bearer', expires_in: '3600', scope: 'repo' });
  const used = await scene.ask({ host: 'api.test', path: '/user', fields: bearer(access) });
  assert.equal(used.status, 200);
  const seen = scene.server.seen.at(-1)?.authorization ?? '';
  assert.equal(scene.server.isAccess(seen.slice('Bearer '.length)), true);
  // As git sends it.
  const basic = Buffer.from(`x-access-token:${access}`).toString('base64');
  const ofGit = await scene.ask({
    host: 'api.test',
    path: '/info',
    fields: [`Authorization: Basic ${basic}`],
  });
  assert.equal(ofGit.status, 200);
  // A code is for one use.
  assert.equal(membersOf(await scene.form('/token', asked))['error'], 'bad_verification_code');
  assertNoSecret(scene, device, pending, given, used, ofGit);
  const events = scene.paths[0].audit;
  assert.deepEqual(events.find(({ path }) => path === '/user')?.injected, ['tool']);
  assert.deepEqual(events[2]?.details?.['keptTokens'], ['access', 'refresh']);
});

test('a client that registers itself, codes in redirects and PKCE go through, with none of its secrets inside', async () => {
  await using scene = await openInsideScene();
  const body = JSON.stringify({ client_name: 'tool', redirect_uris: ['http://127.0.0.1:1/cb'] });
  const json = ['Content-Type: application/json'];
  const registered = await scene.ask({ path: '/register', fields: json, body });
  const { client_id: id = '', client_secret: secret = '', redirect_uris: uris } = membersOf(registered);
  assert.deepEqual(uris, ['http://127.0.0.1:1/cb']);
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const query = new URLSearchParams({
    client_id: id,
    redirect_uri: 'http://127.0.0.1:1/cb',
    code_challenge: challenge,
    state: 's1',
  });
  const sent = await scene.ask({ path: `/authorize?${query.toString()}` });
  assert.equal(sent.status, 302);
  assert.equal(sent.body, '');
  assert.equal(sent.headers.has('set-cookie'), false);
  const location = new URL(sent.headers.get('location') ?? '');
  assert.equal(location.searchParams.get('state'), 's1');
  const code = location.searchParams.get('code') ?? '';
  const grant = {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: 'http://127.0.0.1:1/cb',
  };
  const basic = Buffer.from(`${id}:${secret}`).toString('base64');
  const given = await scene.form('/token', grant, { fields: [`Authorization: Basic ${basic}`] });
  assert.equal(given.status, 200, given.body);
  const { refresh_token: refresh = '' } = membersOf(given);
  const again = { grant_type: 'refresh_token', refresh_token: refresh, client_id: id, client_secret: secret };
  const refreshed = await scene.form('/token', again);
  assert.equal(refreshed.status, 200, refreshed.body);
  // The tool goes on with the placeholder that it has.
  assert.equal(membersOf(refreshed)['refresh_token'], refresh);
  const { access_token: access = '' } = membersOf(refreshed);
  const asked = await scene.form('/introspect', { token: access, client_id: id });
  assert.equal(JSON.parse(asked.body).active, true);
  const person = await scene.ask({ path: '/userinfo', fields: bearer(access) });
  assert.equal(person.status, 200);
  const revoked = await scene.form('/revoke', { token: refresh, client_id: id });
  assert.equal(revoked.status, 200);
  const gone = await scene.ask({ path: '/userinfo', fields: bearer(access) });
  assert.equal(gone.status, 401);
  assertNoSecret(scene, registered, sent, given, refreshed, asked, person, revoked);
});

test('placeholders of JSON Web Tokens have the claims that clients read, and neither the signature nor what is personal', async () => {
  await using scene = await openInsideScene({ isJwt: true });
  const given = await scene.logIn();
  const claims = (token = ''): Record<string, unknown> =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as Record<
      string,
      unknown
    >;
  const { email, at_hash: hash, sub, iss } = claims(given['id_token']);
  assert.deepEqual([email, hash, sub, iss], [undefined, undefined, 'user-1', 'https://as.test']);
  const { exp, iat, scope, jti } = claims(given['access_token']);
  assert.equal(Number(exp) - Number(iat), 3600);
  assert.deepEqual([scope, jti], ['read', undefined]);
  const used = await scene.ask({ host: 'api.test', path: '/', fields: bearer(given['access_token']) });
  assert.equal(used.status, 200);
  const asAccess = await scene.ask({ host: 'api.test', path: '/', fields: bearer(given['id_token']) });
  assert.equal(asAccess.status, 401);
  assertNoSecret(scene, given, used);
});

test('a placeholder is replaced in no other field, at no other host and in no other session', async () => {
  await using scene = await openInsideScene();
  const { access_token: access = '', refresh_token: refresh = '' } = await scene.logIn();
  const grant = { grant_type: 'refresh_token', client_id: 'cli' };
  const tries: readonly (() => Promise<RawResponse>)[] = [
    () => scene.ask({ host: 'other.test', path: '/', fields: bearer(access) }),
    () => scene.ask({ host: 'api.test', path: '/', fields: bearer(refresh) }),
    () =>
      scene.ask({
        host: 'api.test',
        path: `/?access_token=${access}`,
        fields: [`X-Token: ${access}`, `Cookie: t=${access}`],
      }),
    () => scene.ask({ host: 'api.test', path: '/', fields: [...bearer(access), 'Authorization: Bearer x'] }),
    () => scene.ask({ host: 'api.test', path: '/', principal: 'mallory', fields: bearer(access) }),
    () => scene.ask({ host: 'api.test', path: '/', principal: 'alice/2', fields: bearer(access) }),
    () => scene.ask({ host: 'api.test', path: '/', fields: ['Content-Type: text/plain'], body: access }),
    () => scene.form('/token', { ...grant, refresh_token: refresh }, { principal: 'mallory' }),
    () => scene.form('/token', { ...grant, refresh_token: refresh }, { host: 'other.test' }),
    () => scene.form('/token', { ...grant, refresh_token: refresh }, { host: 'second.test' }),
    () =>
      scene.form('/token', {
        ...grant,
        refresh_token: access,
        state: refresh,
        redirect_uri: `https://x.test/${refresh}`,
      }),
    () =>
      scene.form('/token', {
        ...grant,
        code: refresh,
        device_code: refresh,
        client_secret: refresh,
        scope: refresh,
      }),
    () => scene.form(`/token?refresh_token=${refresh}`, { ...grant }),
    () => scene.form('/register', { token: 'x', client_name: refresh, software_statement: access }),
  ];
  for (const [n, attempt] of tries.entries()) {
    const before = scene.server.seen.length;
    await attempt().catch(() => undefined);
    for (const seen of scene.server.seen.slice(before)) {
      const text = decodeURIComponent(JSON.stringify(seen).replaceAll('+', ' '));
      const decoded = Buffer.from(/Basic (\S+)"/.exec(text)?.[1] ?? '', 'base64').toString('utf8');
      for (const secret of scene.server.secrets)
        assert.equal((text + decoded).includes(secret), false, `attempt ${String(n)}: ${text}`);
    }
  }
  // All of it is for the first session as before.
  const used = await scene.ask({ host: 'api.test', path: '/', fields: bearer(access) });
  assert.equal(used.status, 200);
  assert.equal((await scene.form('/token', { ...grant, refresh_token: refresh })).status, 200);
  assert.equal(scene.server.reused(), 0);
});

test('refreshes at once, of two gateways, burn no family: each tool has new tokens', async () => {
  await using scene = await openInsideScene();
  const { refresh_token: refresh = '' } = await scene.logIn();
  const asked = { grant_type: 'refresh_token', client_id: 'cli', refresh_token: refresh };
  const responses = await Promise.all(
    Array.from({ length: 8 }, (_, n) => scene.form('/token', asked, { gateway: n % 2 === 0 ? 0 : 1 })),
  );
  for (const response of responses) {
    assert.equal(response.status, 200, response.body);
    const { access_token: access, refresh_token: same } = membersOf(response);
    assert.equal(same, refresh);
    const used = await scene.ask({ host: 'api.test', path: '/', gateway: 1, fields: bearer(access) });
    assert.equal(used.status, 200);
  }
  assert.equal(scene.server.reused(), 0);
  assertNoSecret(scene, responses);
});

test('what responses are searched for is given back, or makes room for the next, however often tools refresh', async () => {
  await using scene = await openInsideScene({}, { scrubTablesBytesMax: 600_000 });
  const { refresh_token: refresh = '' } = await scene.logIn();
  const asked = { grant_type: 'refresh_token', client_id: 'cli', refresh_token: refresh };
  for (let n = 0; n < 8; n++) {
    const refreshed = await scene.form('/token', asked);
    assert.equal(refreshed.status, 200, refreshed.body);
    const { access_token: access } = membersOf(refreshed);
    const used = await scene.ask({ host: 'api.test', path: '/', fields: bearer(access) });
    assert.equal(used.status, 200, used.body);
    assertNoSecret(scene, used);
  }
});

test('a store that is away for a moment loses no refresh token, and one that stays away hands nothing out', async () => {
  await using scene = await openInsideScene();
  const { refresh_token: refresh = '' } = await scene.logIn();
  const asked = { grant_type: 'refresh_token', client_id: 'cli', refresh_token: refresh };
  scene.store.fail('commit', 2);
  assert.equal((await scene.form('/token', asked)).status, 200);
  assert.equal((await scene.form('/token', asked)).status, 200);
  scene.store.fail('putOfSession', 1);
  const refused = await scene.form('/token', asked);
  assert.notEqual(refused.status, 200);
  assertNoSecret(scene, refused);
  assert.equal((await scene.form('/token', asked)).status, 200);
  assert.equal(scene.server.reused(), 0);
});

test('what the server does not take is asked with once, and the tool is told as by the server', async () => {
  await using scene = await openInsideScene();
  const { refresh_token: refresh = '' } = await scene.logIn();
  await scene.form('/revoke', { token: refresh });
  const asked = { grant_type: 'refresh_token', client_id: 'cli', refresh_token: refresh };
  for (let n = 0; n < 2; n++) {
    const response = await scene.form('/token', asked);
    assert.equal(response.status, 400);
    assert.equal(membersOf(response)['error'], 'invalid_grant');
  }
  const bodies = scene.server.seen.slice(-2).map(({ body }) => body.includes(refresh));
  assert.deepEqual(bodies, [false, true]);
});

test('the end of a session forgets what its tools logged in to', async () => {
  await using scene = await openInsideScene();
  const { access_token: access } = await scene.logIn();
  await scene.logIn('bob');
  const before = scene.store.rows.size;
  await scene.tokens.forget('session-alice');
  assert.ok(scene.store.rows.size > 0 && scene.store.rows.size < before);
  const used = await scene.ask({ host: 'api.test', path: '/', fields: bearer(access) });
  assert.equal(used.status, 401);
});

test('of several refresh tokens in a response the one of that name takes the place of the one before', async () => {
  let next = '';
  await using scene = await openInsideScene({
    instead: (request, body, response) => {
      if (request.url !== '/token' || !body.includes('grant_type=refresh_token')) return false;
      const given = new URLSearchParams(body).get('refresh_token') ?? '';
      assert.equal(next === '' || next === given, true, 'the tool refreshes with the token of before');
      next = scene.server.token();
      response.writeHead(200, { 'content-type': 'application/json' });
      const before = { previous_refresh_token: scene.server.token(), old: { refreshTokenBefore: 'x' } };
      response.end(JSON.stringify({ access_token: scene.server.token(), refresh_token: next, ...before }));
      return true;
    },
  });
  const { refresh_token: refresh = '' } = await scene.logIn();
  const asked = { grant_type: 'refresh_token', client_id: 'cli', refresh_token: refresh };
  for (let n = 0; n < 3; n++) {
    const given = await scene.form('/token', asked);
    assert.equal(membersOf(given)['refresh_token'], refresh);
    assertNoSecret(scene, given);
  }
});

test('a request that comes to nothing before it goes out lets its refresh token go at once', async () => {
  await using scene = await openInsideScene();
  const { refresh_token: refresh = '' } = await scene.logIn();
  const claim = scene.store.claim.bind(scene.store);
  scene.store.claim = async (...asked) => {
    scene.store.fail('read', 1);
    return await claim(...asked);
  };
  const asked = { grant_type: 'refresh_token', refresh_token: refresh, client_secret: 'x'.repeat(40) };
  const before = scene.server.seen.length;
  assert.equal((await scene.form('/token', asked)).status, 502);
  assert.equal(scene.server.seen.length, before);
  scene.store.claim = claim;
  const rows = [...scene.store.rows.values()];
  assert.deepEqual(new Set(rows.map(({ claimedBy }) => claimedBy)), new Set([undefined]));
  assert.deepEqual(new Set(rows.map(({ attempts }) => attempts)), new Set([0]));
  assert.equal((await scene.form('/token', asked, { gateway: 1 })).status, 200);
});

interface Odd {
  readonly status?: number;
  readonly type?: string | undefined;
  readonly fields?: Readonly<Record<string, string>>;
  readonly body: (token: string) => string | Buffer;
}

const odd: Readonly<Record<string, Odd>> = {
  'a name twice': { body: (token) => `{"access_token":"x","access_token":"${token}"}` },
  'a name with an escape': { body: (token) => `{"acc\\u0065ss_token":"${token}"}` },
  'a byte order mark': { body: (token) => `\ufeff{"access_token":"${token}"}` },
  'UTF-16': { body: (token) => Buffer.from(`{"access_token":"${token}"}`, 'utf16le') },
  'a charset of its own': {
    type: 'application/json; charset=utf-16',
    body: (token) => `{"access_token":"${token}"}`,
  },
  'two charsets': {
    type: 'application/json; charset=utf-8; charset=utf-7',
    body: (token) => `{"access_token":"${token}"}`,
  },
  'a NUL in a name': { body: (token) => `{"access_token\\u0000":"${token}"}` },
  'a page': { type: 'text/html', body: (token) => `<form><input name=access_token value=${token}></form>` },
  'a page of an error': { status: 500, type: 'text/html', body: (token) => `<p>${token}` },
  'plain text': { type: 'text/plain', body: (token) => token },
  'no type': { type: undefined, body: (token) => `{"access_token":"${token}"}` },
  'another coding': {
    fields: { 'content-encoding': 'compress' },
    body: (token) => `{"access_token":"${token}"}`,
  },
  'a coding that is none': {
    fields: { 'content-encoding': 'gzip' },
    body: (token) => `{"access_token":"${token}"}`,
  },
  'two documents': { body: (token) => `{}{"access_token":"${token}"}` },
  'a comment': { body: (token) => `{/**/"access_token":"${token}"}` },
  'too long': { body: (token) => `{"x":"${'a'.repeat(200_000)}","access_token":"${token}"}` },
  'a form with a name twice': {
    type: 'application/x-www-form-urlencoded',
    body: (token) => `access_token=a&access_token=${token}`,
  },
  'a form with a semicolon': {
    type: 'application/x-www-form-urlencoded',
    body: (token) => `a=b;access_token=${token}`,
  },
  'a form that is none': {
    type: 'application/x-www-form-urlencoded',
    body: (token) => `{"access_token":"${token}"}`,
  },
  'a token for a key of the tool': { body: (token) => `{"access_token":"${token}","token_type":"DPoP"}` },
};

test('what two readers could read differently is not passed on, whatever its status', async () => {
  for (const [name, { status = 200, type, fields = {}, body }] of Object.entries(odd)) {
    const isTyped = 'type' in (odd[name] ?? {});
    await using scene = await openInsideScene({
      instead: (_, __, response) => {
        const shown = isTyped ? type : 'application/json';
        response.writeHead(status, { ...fields, ...(shown === undefined ? {} : { 'content-type': shown }) });
        response.end(body(scene.server.token()));
        return true;
      },
    });
    const response = await scene.form('/odd', { a: 'b' });
    assert.ok(response.status === 502 || response.status === 403, `${name}: ${String(response.status)}`);
    assertNoSecret(scene, response);
  }
});

const hidden: Readonly<Record<string, Odd>> = {
  'names of other cases': { body: (token) => `{"Access_Token":"${token}","accessToken":"${token}-2"}` },
  'deep in the document': { body: (token) => `{"authed_user":{"list":[{"access_token":"${token}"}]}}` },
  'a list': { body: (token) => `{"tokens":[],"access_token":["${token}"]}` },
  'an address': { body: (token) => `{"redirect":"https://x.test/#access_token=${token}&state=1"}` },
  'an error': { status: 400, body: (token) => `{"error":"x","access_token":"${token}"}` },
  'a form': { type: 'application/x-www-form-urlencoded', body: (token) => `access%5Ftoken=${token}` },
  'a token that is encrypted, under a name of the server': {
    body: (token) => `{"session":"eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..aXZpdml2.${token}.dGFn"}`,
  },
  'a Location': { status: 302, fields: { location: '/cb?x=1#/a?access_token=' }, body: () => '' },
  'a Location below the path': { status: 302, fields: { location: 'cb/a?code=' }, body: () => '' },
  coded: { fields: { 'content-encoding': 'gzip' }, body: (token) => gzipSync(`{"access_token":"${token}"}`) },
  'other fields': {
    fields: { 'x-auth-token': 'T', 'x-other': 'T', 'set-cookie': 'T', link: '<T>' },
    body: (token) => `{"access_token":"${token}"}`,
  },
};

test('tokens are kept wherever a server hands them out', async () => {
  for (const [name, { status = 200, type = 'application/json', fields = {}, body }] of Object.entries(
    hidden,
  )) {
    await using scene = await openInsideScene({
      instead: (_, __, response) => {
        const token = scene.server.token();
        const own = Object.entries(fields).map(([field, value]) => {
          const isAddress = field === 'location';
          return [field, isAddress ? value + token : value.replace('T', token)] as const;
        });
        response.writeHead(status, { 'content-type': type, ...Object.fromEntries(own) });
        response.write(body(token));
        response.end();
        return true;
      },
    });
    const response = await scene.form('/odd', { a: 'b' });
    assert.equal(response.status, status, `${name}: ${response.body}`);
    assert.ok(scene.store.rows.size > 0, name);
    assertNoSecret(scene, response);
  }
});

test('heads that come before, fields that come behind and a response to HEAD hand out no token', async () => {
  await using scene = await openInsideScene({
    instead: (request, _, response) => {
      const token = scene.server.token();
      response.writeEarlyHints({ link: `</a?access_token=${token}>; rel=preload` });
      const location = `https://app.test/cb#access_token=${token}`;
      if (request.method === 'HEAD') {
        response.writeHead(302, { location }).end();
        return true;
      }
      response.writeHead(200, { location, 'content-type': 'application/json', trailer: 'x-token' });
      // Octet by octet.
      for (const one of `{"access_token":"${token}"}`) response.write(one);
      response.addTrailers({ 'x-token': token });
      response.end();
      return true;
    },
  });
  const given = await scene.form('/odd', { a: 'b' });
  assert.equal(given.status, 200);
  assert.match(membersOf(given)['access_token'] ?? '', /./);
  const head = await scene.ask({ method: 'HEAD', path: '/odd' });
  assert.equal(head.status, 302);
  assert.match(head.headers.get('location') ?? '', /#access_token=./);
  assertNoSecret(scene, given, head);
});

test('a request to switch to WebSocket is no way around what a server hands out', async () => {
  let asked = 0;
  await using scene = await openInsideScene({
    instead: (_, __, response) => {
      asked += 1;
      const token = scene.server.token();
      response.writeHead(200, { 'content-type': 'application/json', connection: 'close' });
      response.end(`{"access_token":"${token}"}`);
      return true;
    },
  });
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', key];
  const response = await scene.ask({ path: '/token?code=a', fields: upgrade });
  assert.deepEqual([response.status, asked], [403, 0]);
  assertNoSecret(scene, response);
});

test('a request that two readers could read differently is refused before anything of it goes out', async () => {
  await using scene = await openInsideScene();
  const { refresh_token: refresh = '' } = await scene.logIn();
  const count = scene.server.seen.length;
  const form = 'application/x-www-form-urlencoded';
  const bodies: readonly (readonly [string, string | Buffer])[] = [
    [form, `refresh_token=${refresh}&refresh_token=x`],
    [form, `refresh_token=${refresh}&Refresh_Token=x`],
    [form, `a=1;refresh_token=${refresh}`],
    [`${form}; charset=utf-16`, `refresh_token=${refresh}`],
    ['application/json', `{"refresh_token":"${refresh}","refresh_token":"x"}`],
    ['application/json', Buffer.from(`{"refresh_token":"${refresh}"}`, 'utf16le')],
    ['multipart/form-data; boundary=x', `--x\r\n\r\n${refresh}\r\n--x--`],
    ['text/plain', refresh],
  ];
  for (const [type, body] of bodies) {
    const response = await scene.ask({ path: '/token', fields: [`Content-Type: ${type}`], body });
    assert.equal(response.status, 403, `${type}: ${response.body}`);
  }
  assert.equal(scene.server.seen.length, count);
});

test('a response that breaks off, or a server that says nothing, leaves the token usable', async () => {
  let broken = 0;
  await using scene = await openInsideScene({
    instead: (request, body, response) => {
      if (request.url !== '/token' || !body.includes('refresh_token=') || broken >= 2) return false;
      broken += 1;
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 500 });
      response.write('{"access_token":');
      response.destroy();
      return true;
    },
  });
  const { refresh_token: refresh = '' } = await scene.logIn();
  const asked = { grant_type: 'refresh_token', client_id: 'cli', refresh_token: refresh };
  for (const expected of [502, 502, 200]) assert.equal((await scene.form('/token', asked)).status, expected);
  assert.equal(scene.server.reused(), 0);
});
