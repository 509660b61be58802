// What becomes of tokens that tools logged in to when their session is over: the server takes them back, asked by one gateway.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { RevokedToken } from '../../../../src/gateway/credentials/inside/token-revocation.ts';
import type { ProxyError } from '../../../../src/protocol/error.ts';
import { type InsideScene, membersOf, openInsideScene } from '../../support/inside-scene.ts';

const refreshing = (refresh = ''): Readonly<Record<string, string>> => ({
  grant_type: 'refresh_token',
  client_id: 'cli',
  refresh_token: refresh,
});

function revocations(scene: InsideScene): readonly Readonly<Record<string, string>>[] {
  return scene.server.seen
    .filter(({ url }) => url === '/revoke')
    .map(({ body, authorization = '' }) =>
      Object.fromEntries([...new URLSearchParams(body), ['authorization', authorization]]),
    );
}

test('where the rule says so, the end of a session revokes its tokens at the server, the newest refresh token first', async () => {
  await using scene = await openInsideScene({}, {}, { revoke: '/revoke' });
  const { refresh_token: refresh } = await scene.logIn();
  const { access_token: access } = membersOf(await scene.form('/token', refreshing(refresh)));
  const other = await scene.logIn('bob');
  await scene.ask({ host: 'api.test', path: '/', fields: [`Authorization: Bearer ${access ?? ''}`] });
  const used = scene.server.seen.at(-1)?.authorization?.slice('Bearer '.length) ?? '';
  assert.equal(scene.server.isAccess(used), true);
  // Each gateway is told that the session ended.
  await Promise.all([scene.tokens.forget('session-alice'), scene.otherTokens.forget('session-alice')]);
  assert.equal(scene.server.isAccess(used), false);
  const [first, ...more] = revocations(scene);
  assert.deepEqual([first?.['token_type_hint'], first?.['client_id']], ['refresh_token', 'cli']);
  assert.equal(new Set([first, ...more].map((one) => one?.['token'])).size, more.length + 1, 'each once');
  assert.ok(more.length > 0 && more.every((one) => one['token_type_hint'] === 'access_token'));
  assert.deepEqual(
    new Set([...scene.store.rows.values()].map(({ sessionId }) => sessionId)),
    new Set(['session-bob']),
  );
  const theirs = await scene.form('/token', refreshing(other['refresh_token']), { principal: 'bob' });
  assert.equal(theirs.status, 200);
  assert.equal(scene.server.reused(), 0);
});

test('a client shows itself as it did, with its secret and not with what stands in its place', async () => {
  for (const isBasic of [true, false]) {
    await using scene = await openInsideScene({}, {}, { revoke: '/revoke' });
    const fields = ['Content-Type: application/json'];
    const body = JSON.stringify({ client_name: 'tool', redirect_uris: ['http://127.0.0.1:1/cb'] });
    const registered = membersOf(await scene.ask({ path: '/register', fields, body }));
    const { client_id: id = '', client_secret: placeholder = '' } = registered;
    const device = membersOf(await scene.form('/device', { client_id: id }));
    const grant = {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: device['device_code'] ?? '',
      client_id: id,
    };
    const basic = Buffer.from(`${id}:${placeholder}`).toString('base64');
    const given = isBasic
      ? await scene.form('/token', grant, { fields: [`Authorization: Basic ${basic}`] })
      : await scene.form('/token', { ...grant, client_secret: placeholder });
    assert.equal(given.status, 200, given.body);
    await scene.tokens.forget('session-alice');
    const [first] = revocations(scene);
    const decoded = Buffer.from(first?.['authorization']?.slice('Basic '.length) ?? '', 'base64').toString();
    const secret = isBasic ? decoded.slice(`${id}:`.length) : (first?.['client_secret'] ?? '');
    assert.equal(scene.server.secrets.has(secret), true, JSON.stringify(first));
    assert.equal(first?.['client_id'], id);
  }
});

test('a token is revoked within the addresses of the rule by which it came, whichever are in force by then', async () => {
  const opened: unknown[] = [];
  const onRevoke = ({ revocation }: RevokedToken): void => void opened.push(revocation.addresses);
  await using scene = await openInsideScene({}, {}, { revoke: '/revoke', onRevoke });
  const { refresh_token: refresh } = await scene.logIn();
  assert.equal((await scene.form('/token', refreshing(refresh))).status, 200);
  await scene.tokens.forget('session-alice');
  assert.ok(opened.length > 1);
  for (const addresses of opened) assert.deepEqual(addresses, ['127.0.0.0/8']);
});

test('without it no server is asked, and the tokens are forgotten', async () => {
  await using scene = await openInsideScene();
  await scene.logIn();
  await scene.tokens.forget('session-alice');
  assert.deepEqual([scene.store.rows.size, revocations(scene).length], [0, 0]);
});

test('a server that is away is asked again, three times in all; one that refuses is asked once, and both are told', async () => {
  for (const [status, times] of [
    [503, 3],
    [400, 1],
  ] as const) {
    const faults: ProxyError[] = [];
    const onFault = (error: ProxyError): void => void faults.push(error);
    await using scene = await openInsideScene(
      {
        instead: (request, _, response) => {
          if (request.url !== '/revoke') return false;
          response.writeHead(status).end();
          return true;
        },
      },
      {},
      { revoke: '/revoke', onFault },
    );
    await scene.logIn();
    const count = scene.store.rows.size;
    for (let n = 1; n <= times; n++) {
      assert.ok(scene.store.rows.size > 0, `before ${String(n)}`);
      assert.equal(faults.length, 0);
      await scene.tokens.forget('session-alice');
    }
    assert.equal(scene.store.rows.size, 0);
    // The refresh token and the access token.
    assert.equal(revocations(scene).length, 2 * times);
    assert.ok(count >= 2);
    assert.equal(faults.length, 1);
    assert.match(faults[0]?.message ?? '', /https:\/\/as\.test:\d+ .* log-in tool of a session that is over/);
    for (const secret of scene.server.secrets) assert.equal(String(faults[0]).includes(secret), false);
  }
});

test('a gateway that is gone in the middle leaves the rest to the next look, and sessions wait for each other', async () => {
  await using scene = await openInsideScene({}, {}, { revoke: '/revoke' });
  const { store } = scene;
  await scene.logIn();
  await scene.logIn('bob');
  store.fail('forget', 1);
  await assert.rejects(scene.tokens.forget('session-alice'), { code: 'store_unavailable' });
  const left = [...store.rows.values()].filter(({ sessionId }) => sessionId === 'session-alice');
  assert.ok(left.length > 0);
  store.sessionsOver = () => Promise.resolve(['session-alice', 'session-bob']);
  // Another gateway has what is claimed until the claim is over.
  for (const { id } of left) await store.letGo(id, { version: 1, holderId: 'one', isSent: true });
  await scene.otherTokens.lookForEnded();
  assert.equal(store.rows.size, 0);
});

test('a session has so many tokens at most, whichever gateway keeps them, and keeps its refresh tokens', async () => {
  await using scene = await openInsideScene({}, { insideTokensPerSessionMax: 6 });
  const { refresh_token: refresh } = await scene.logIn();
  for (let n = 0; n < 10; n++) {
    const gateway = n % 2 === 0 ? 0 : 1;
    const given = await scene.form('/token', refreshing(refresh), { gateway });
    assert.equal(given.status, 200, given.body);
    assert.ok(scene.store.rows.size <= 6);
    const fields = [`Authorization: Bearer ${membersOf(given)['access_token'] ?? ''}`];
    const used = await scene.ask({ host: 'api.test', path: '/', gateway: gateway === 0 ? 1 : 0, fields });
    assert.equal(used.status, 200);
  }
  assert.equal(scene.store.rows.size, 6);
  // What makes no room is refused, and nothing of it is handed out.
  const refusals: number[] = [];
  for (let n = 0; n < 8; n++) {
    const fields = ['Content-Type: application/json'];
    const body = JSON.stringify({ client_name: 'tool', redirect_uris: ['http://127.0.0.1:1/cb'] });
    const registered = await scene.ask({ path: '/register', fields, body, gateway: n % 2 === 0 ? 0 : 1 });
    refusals.push(registered.status);
    assert.ok(scene.store.rows.size <= 6);
  }
  assert.ok(refusals.includes(201) && refusals.at(-1) !== 201, String(refusals));
});
