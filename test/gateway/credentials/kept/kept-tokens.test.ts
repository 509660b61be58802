// Tokens of a log-in that several gateways use: no refresh token is used twice, and none that came is lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { KeptSeal } from '../../../../src/gateway/credentials/kept/kept-seal.ts';
import { createSigningKey, signingKeyWith } from '../../../../src/gateway/sessions/signing-key.ts';
import { ProxyError } from '../../../../src/protocol/error.ts';
import type { KeptTokenStore } from '../../../../src/store/kept-token-store.ts';
import { openStore } from '../../../../src/store/open-store.ts';
import { fetchOf, gatewayOf, id, serverOf, settings, signingKey, valueOf } from './kept-fixture.ts';

const dayMs = 86_400_000;
const nowMs = Date.now();

test('of many gateways that need new tokens at once one asks, and all have what it got', async () => {
  await using store = await openStore('sqlite::memory:');
  const server = serverOf();
  const gateways = Array.from({ length: 8 }, (_, i) =>
    gatewayOf({ store: store.keptTokens, server, name: `g${i}` }),
  );
  await gateways[0]?.tokens.put(id, valueOf(server.begin()), 0);
  const read = await Promise.all(gateways.flatMap(({ source }) => [source.read(nowMs), source.read(nowMs)]));
  assert.equal(server.refreshes, 1);
  assert.equal(server.reuses, 0);
  assert.equal(new Set(read.map((secret) => secret.reveal())).size, 1);
  assert.ok(server.isGood(read[0]?.reveal() ?? ''));
});

test('a long run of renewals by gateways in no order loses no refresh token', async () => {
  await using store = await openStore('sqlite::memory:');
  // Each token is due a millisecond later.
  const server = serverOf({ accessSeconds: 0.001 });
  const gateways = ['a', 'b', 'c'].map((name) => gatewayOf({ store: store.keptTokens, server, name }));
  await gateways[0]?.tokens.put(id, valueOf(server.begin()), 0);
  let seed = 7;
  let rounds = 0;
  for (let i = 0; i < 60; i += 1) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    const chosen = gateways.filter((_, at) => ((seed >> (8 + at)) & 1) === 1);
    if (chosen.length > 0) rounds += 1;
    await wait(2);
    await Promise.all(chosen.map(({ source }) => source.read(nowMs + i * 60_000)));
  }
  assert.ok(server.refreshes >= rounds && rounds > 20, `${server.refreshes} in ${rounds}`);
  assert.equal(server.reuses, 0);
  const kept = await gateways[0]?.tokens.read(id);
  assert.equal(kept?.value.refreshToken, server.current);
});

test('new tokens are written down before anybody uses them, also while the store is away', async () => {
  await using store = await openStore('sqlite::memory:');
  const server = serverOf();
  let failures = 3;
  const failing: KeptTokenStore = Object.assign(Object.create(store.keptTokens) as KeptTokenStore, {
    read: (one: string) => store.keptTokens.read(one),
    claim: (one: string, claim: Parameters<KeptTokenStore['claim']>[1]) => store.keptTokens.claim(one, claim),
    readKey: () => store.keptTokens.readKey(),
    commit: async (one: string, written: Parameters<KeptTokenStore['commit']>[1]) => {
      failures -= 1;
      if (failures >= 0) throw new ProxyError('store_unavailable', 'away');
      return await store.keptTokens.commit(one, written);
    },
  });
  const first = gatewayOf({ store: store.keptTokens, server });
  await first.tokens.put(id, valueOf(server.begin()), 0);
  const gateway = gatewayOf({ store: failing, server });
  const secret = await gateway.source.read(nowMs);
  assert.equal(failures, -1);
  assert.equal(gateway.faults.length, 1, 'told once');
  assert.equal((await first.tokens.read(id)).value.accessToken, secret.reveal());
  assert.equal((await first.tokens.read(id)).value.refreshToken, server.current);
});

/** A gateway that is killed with the response in its hand: the claim stays, nothing is written. */
async function killedWhileAsking(store: KeptTokenStore, server: ReturnType<typeof serverOf>): Promise<void> {
  const kept = await store.read(id);
  const claim = { version: kept?.version ?? 0, holderId: 'killed', claimMs: 0 };
  assert.equal((await store.claim(id, claim)).kind, 'claimed');
  const form = { grant_type: 'refresh_token', refresh_token: server.current ?? '', client_id: 'client' };
  const body = new URLSearchParams(form).toString();
  const lost = await server.handle({ method: 'POST', url: 'https://login.test/token', headers: {}, body });
  assert.equal(lost.status, 200);
}

test('after a gateway was killed between response and write, another one has the next tokens of a server that takes the token twice for a while', async () => {
  await using store = await openStore('sqlite::memory:');
  const server = serverOf({ graceMs: 60_000 });
  const other = gatewayOf({ store: store.keptTokens, server, name: 'other' });
  await other.tokens.put(id, valueOf(server.begin()), 0);
  await killedWhileAsking(store.keptTokens, server);
  const secret = await other.source.read(nowMs);
  assert.ok(server.isGood(secret.reveal()));
  assert.equal((await other.tokens.read(id)).value.refreshToken, server.current);
  assert.deepEqual(other.told, [{ kind: 'asked_again', id, attempts: 1 }]);
});

test('at a server without such a while a person is told once to log in again, and nobody asks again', async () => {
  await using store = await openStore('sqlite::memory:');
  const server = serverOf();
  const [other, third] = ['other', 'third'].map((name) =>
    gatewayOf({ store: store.keptTokens, server, name }),
  );
  assert.ok(other !== undefined && third !== undefined);
  await other.tokens.put(id, valueOf(server.begin()), 0);
  await killedWhileAsking(store.keptTokens, server);
  await assert.rejects(
    other.source.read(nowMs),
    /an earlier response of the server got lost.*credential login tracker/,
  );
  assert.deepEqual(
    other.told.map(({ kind }) => kind),
    ['asked_again', 'refused'],
  );
  const { refreshes } = server;
  await assert.rejects(
    third.source.read(nowMs),
    /takes the refresh token no more \(invalid_grant\).*credential login tracker/,
  );
  await assert.rejects(other.source.read(nowMs + 60_000), /credential login tracker/);
  assert.equal(server.refreshes, refreshes);
  assert.deepEqual(third.told, []);
  const row = await store.keptTokens.read(id);
  assert.deepEqual([row?.state, row?.word], ['refused', 'invalid_grant']);
  await third.tokens.put(id, valueOf(server.begin()), dayMs);
  assert.ok(server.isGood((await other.source.read(nowMs + 120_000)).reveal()), 'after a log-in it goes on');
});

test('a server that cannot be reached costs no token: it is asked again later, and the old one serves meanwhile', async () => {
  await using store = await openStore('sqlite::memory:');
  const server = serverOf();
  let isAway = true;
  const fetch: ReturnType<typeof fetchOf> = (url, request) =>
    isAway ? Promise.reject(new Error('reset')) : fetchOf(server)(url, request);
  const gateway = gatewayOf({ store: store.keptTokens, server, fetch });
  const given = server.begin();
  await gateway.tokens.put(id, valueOf(given), dayMs);
  gateway.source.reject(await gateway.source.read(nowMs), nowMs);
  assert.equal((await gateway.source.read(nowMs + 1)).reveal(), given.accessToken);
  await gateway.tokens.put(id, valueOf(given), 0);
  const started = gatewayOf({ store: store.keptTokens, server, fetch });
  await assert.rejects(started.source.read(nowMs), /the server login.test cannot be reached/);
  isAway = false;
  assert.notEqual((await started.source.read(nowMs + 60_000)).reveal(), given.accessToken);
  assert.deepEqual([...gateway.told, ...started.told], [], 'nobody is told of each try');
  assert.equal(server.reuses, 0);
});

test('a 401 of an origin has one renewal, and no further one soon', async () => {
  await using store = await openStore('sqlite::memory:');
  const server = serverOf();
  const gateway = gatewayOf({ store: store.keptTokens, server });
  await gateway.tokens.put(id, valueOf(server.begin()), dayMs);
  const first = await gateway.source.read(nowMs);
  for (let i = 0; i < 5; i += 1) gateway.source.reject(first, nowMs + i);
  const second = await gateway.source.read(nowMs + 10);
  assert.notEqual(second.reveal(), first.reveal());
  gateway.source.reject(second, nowMs + 20);
  assert.equal((await gateway.source.read(nowMs + 30)).reveal(), second.reveal());
  gateway.source.reject(first, nowMs + dayMs);
  assert.equal(
    (await gateway.source.read(nowMs + dayMs)).reveal(),
    second.reveal(),
    'an old token says nothing',
  );
  assert.equal(server.refreshes, 1);
});

test('a log-out is heard by each gateway, whose remembered token counts no more', async () => {
  await using store = await openStore('sqlite::memory:');
  const server = serverOf();
  const gateway = gatewayOf({ store: store.keptTokens, server });
  await gateway.tokens.put(id, valueOf(server.begin()), dayMs);
  await gateway.source.read(nowMs);
  await store.keptTokens.forget(id);
  await assert.rejects(
    gateway.source.read(nowMs + 60_000),
    /nobody has logged in: log in by "upstreamproxy credential login tracker"/,
  );
});

test('tokens of another server, client or row are not used', async () => {
  await using store = await openStore('sqlite::memory:');
  const server = serverOf();
  const gateway = gatewayOf({ store: store.keptTokens, server });
  await gateway.tokens.put(id, valueOf(server.begin()), 0);
  for (const change of [{ issuer: 'https://other.test' }, { clientId: 'another' }]) {
    const moved = gatewayOf({ store: store.keptTokens, server, settings: { ...settings, ...change } });
    await assert.rejects(moved.source.read(nowMs), /of another server or client/);
  }
  assert.equal(server.refreshes, 0);
  const row = await store.keptTokens.read(id);
  await store.keptTokens.put('credential/other', { sealed: row?.sealed ?? '' });
  await assert.rejects(gateway.tokens.read('credential/other'), /were changed/);
});

test('nothing of a token stands in the store, and after a rotation of the signing key tokens open as before', async () => {
  await using store = await openStore('sqlite::memory:');
  const server = serverOf();
  const given = server.begin();
  const gateway = gatewayOf({ store: store.keptTokens, server });
  await gateway.tokens.put(id, valueOf(given), dayMs);
  const row = await store.keptTokens.read(id);
  const key = await store.keptTokens.readKey();
  for (const secret of Object.values(given)) assert.ok(!JSON.stringify([row, key]).includes(secret));
  const next = createSigningKey();
  let now = signingKeyWith(signingKey, [next.publicKey]);
  const follower = new KeptSeal(store.keptTokens, {
    get kid() {
      return now.kid;
    },
    publicKeyOf: (kid) => now.publicKeyOf(kid),
    signText: (text) => now.signText(text),
  });
  await follower.follow();
  const stranger = gatewayOf({ store: store.keptTokens, server, signingKey: next });
  await assert.rejects(stranger.tokens.read(id), /another signing key/);
  now = signingKeyWith(next, [signingKey.publicKey]);
  await follower.follow();
  const later = gatewayOf({ store: store.keptTokens, server, signingKey: next });
  assert.deepEqual((await later.tokens.read(id)).value, valueOf(given));
  assert.deepEqual(
    (await gateway.tokens.read(id)).value,
    valueOf(given),
    'those that have not heard of it yet',
  );
});
