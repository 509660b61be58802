// What every engine of the store must do with tokens of the admin API, and with pages of the audit; part of the suite in store.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OperatorToken } from '../../src/store/operator-store.ts';
import type { Store } from '../../src/store/store.ts';

const bounds = { operatorTokensMax: 3 };

function newToken(id: string, changes: Partial<OperatorToken> = {}): OperatorToken {
  return {
    id,
    digest: `digest of ${id}`,
    name: 'ada',
    role: 'viewer',
    createdMs: 1000,
    createdBy: 'grace',
    expiresMs: 100_000,
    ...changes,
  };
}

export function operatorConformance(open: () => Promise<Store>): void {
  test('a token is found by its digest and by its id, as it was stored', async () => {
    await using store = await open();
    const token = newToken('a', { sees: { team: 'red', level: 3, trusted: true } });
    assert.equal(await store.operators.add(token, bounds), true);
    assert.deepEqual(await store.operators.byDigest('digest of a'), token);
    assert.deepEqual(await store.operators.find('a'), token);
    assert.equal(await store.operators.byDigest('digest of b'), undefined);
    assert.equal(await store.operators.find('b'), undefined);
  });

  test('living tokens have a bound; those that are over make room', async () => {
    await using store = await open();
    for (const id of ['a', 'b', 'c']) assert.equal(await store.operators.add(newToken(id), bounds), true);
    assert.equal(await store.operators.add(newToken('d'), bounds), false);
    assert.equal(await store.operators.revoke('a', 2000), true);
    assert.equal(await store.operators.add(newToken('d', { createdMs: 2000 }), bounds), true);
    const later = newToken('e', { createdMs: 100_001, expiresMs: 200_000 });
    assert.equal(await store.operators.add(later, bounds), true);
  });

  test('a session by log-in is stored with who it is, and has a bound apart from the tokens that were given', async () => {
    await using store = await open();
    const logIn = {
      issuer: 'https://login.example.com',
      subject: 'a1',
      group: 'ops',
      name: 'Ada',
      email: 'ada@example.com',
    };
    for (const id of ['a', 'b', 'c']) assert.equal(await store.operators.add(newToken(id), bounds), true);
    assert.equal(await store.operators.add(newToken('s', { logIn }), bounds), true);
    assert.deepEqual((await store.operators.find('s'))?.logIn, logIn);
    const plain = { issuer: logIn.issuer, subject: 'a2', group: 'ops' };
    for (const id of ['t', 'u'])
      assert.equal(await store.operators.add(newToken(id, { logIn: plain }), bounds), true);
    assert.deepEqual((await store.operators.find('u'))?.logIn, plain);
    assert.equal(await store.operators.add(newToken('v', { logIn: plain }), bounds), false);
    assert.equal(await store.operators.add(newToken('d'), bounds), false);
  });

  test('the list has what is good, the newest first', async () => {
    await using store = await open();
    await store.operators.add(newToken('a'), bounds);
    await store.operators.add(newToken('b', { createdMs: 2000 }), bounds);
    await store.operators.add(newToken('c', { createdMs: 3000, expiresMs: 5000 }), bounds);
    const ids = async (nowMs: number) => (await store.operators.list(nowMs)).map(({ id }) => id);
    assert.deepEqual(await ids(4000), ['c', 'b', 'a']);
    assert.deepEqual(await ids(5000), ['b', 'a']);
    await store.operators.revoke('b', 5500);
    assert.deepEqual(await ids(6000), ['a']);
  });

  test('a token is revoked once, and stays known until it is forgotten', async () => {
    await using store = await open();
    await store.operators.add(newToken('a'), bounds);
    assert.equal(await store.operators.revoke('a', 2000), true);
    assert.equal(await store.operators.revoke('a', 3000), false);
    assert.equal(await store.operators.revoke('b', 3000), false);
    assert.equal((await store.operators.byDigest('digest of a'))?.revokedMs, 2000);
    assert.equal(await store.operators.prune(2000), 0);
    assert.equal(await store.operators.prune(2001), 1);
    assert.equal(await store.operators.byDigest('digest of a'), undefined);
  });

  test('its use is noted to the minute', async () => {
    await using store = await open();
    await store.operators.add(newToken('a'), bounds);
    const usedMs = async () => (await store.operators.find('a'))?.usedMs;
    await store.operators.used('a', 10_000);
    await store.operators.used('a', 20_000);
    assert.equal(await usedMs(), 10_000);
    await store.operators.used('a', 70_001);
    assert.equal(await usedMs(), 70_001);
  });
}
