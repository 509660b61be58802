// What every engine of the store must do with gateways and with what they share; part of the suite in store.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLimits } from '../../src/protocol/limits.ts';
import type { GatewayNote } from '../../src/store/gateway-store.ts';
import type { Store } from '../../src/store/store.ts';

const longMs = 600_000;

function newGateway(incarnation: string, changes: Partial<GatewayNote> = {}): GatewayNote {
  return {
    incarnation,
    peerAddress: 'a.test:8444',
    state: 'serving',
    changeSeen: 3,
    identityKeys: undefined,
    ...changes,
  };
}

export function gatewayConformance(open: () => Promise<Store>): void {
  test('a gateway is found by its name, as it last spoke, and is current for as long as its lease', async () => {
    await using store = await open();
    await store.gateways.note(newGateway('a'), longMs);
    assert.deepEqual(await store.gateways.find('a'), { ...newGateway('a'), isCurrent: true });
    const identityKeys = ['0123456789abcdef', 'fedcba9876543210'];
    const later = newGateway('a', { peerAddress: undefined, state: 'draining', changeSeen: 9, identityKeys });
    await store.gateways.note(later, 0);
    assert.deepEqual(await store.gateways.find('a'), { ...later, isCurrent: false });
    assert.equal(await store.gateways.find('b'), undefined);
  });

  test('those that serve are told, without those whose lease is over or who left', async () => {
    await using store = await open();
    await store.gateways.note(newGateway('a'), longMs);
    await store.gateways.note(newGateway('b', { state: 'left' }), longMs);
    await store.gateways.note(newGateway('c'), 0);
    await store.gateways.note(newGateway('d', { state: 'draining' }), longMs);
    const named = async (limit: number) =>
      (await store.gateways.current(limit)).map(({ incarnation }) => incarnation);
    assert.deepEqual(await named(10), ['a', 'd']);
    assert.deepEqual(await named(1), ['a']);
    await store.gateways.note(newGateway('e'), -longMs);
    const away = async (limit: number) =>
      (await store.gateways.away(limit)).map(({ incarnation }) => incarnation);
    assert.deepEqual(await away(10), ['b', 'c', 'e']);
    assert.deepEqual(await away(2), ['b', 'c']);
  });

  test('another one says for it that it lives, and how far it is, and takes nothing back', async () => {
    await using store = await open();
    await store.gateways.note(newGateway('a'), 0);
    await store.gateways.vouch({ incarnation: 'a', changeSeen: 9 }, longMs);
    assert.deepEqual(await store.gateways.find('a'), {
      ...newGateway('a', { changeSeen: 9 }),
      isCurrent: true,
    });
    await store.gateways.vouch({ incarnation: 'a', changeSeen: 4 }, 0);
    assert.deepEqual(await store.gateways.find('a'), {
      ...newGateway('a', { changeSeen: 9 }),
      isCurrent: true,
    });
    const left = newGateway('b', { state: 'left' });
    await store.gateways.note(left, longMs);
    for (const incarnation of ['b', 'c']) await store.gateways.vouch({ incarnation, changeSeen: 9 }, longMs);
    assert.deepEqual(await store.gateways.find('b'), { ...left, isCurrent: true });
    assert.equal(await store.gateways.find('c'), undefined);
  });

  test('those whose lease was over for long are forgotten', async () => {
    await using store = await open();
    await store.gateways.note(newGateway('a'), longMs);
    await store.gateways.note(newGateway('b'), -longMs);
    await store.gateways.note(newGateway('c'), 0);
    assert.equal(await store.gateways.prune(longMs / 2), 1);
    assert.equal(await store.gateways.find('b'), undefined);
    assert.notEqual(await store.gateways.find('c'), undefined);
  });

  test('of a row that is no identity no more is read than one may have', async () => {
    await using store = await open();
    const sealed = 'x'.repeat(3 * defaultLimits.sealedIdentityBytesMax);
    assert.equal(await store.identity.write({ version: 1, sealed }), true);
    assert.equal((await store.identity.read())?.sealed.length, defaultLimits.sealedIdentityBytesMax + 1);
  });

  test('an identity is stored once, and each later one upon the one before it', async () => {
    await using store = await open();
    assert.equal(await store.identity.version(), undefined);
    assert.equal(await store.identity.read(), undefined);
    assert.equal(await store.identity.write({ version: 2, sealed: 'early' }), false);
    const first = await Promise.all(
      ['x', 'y', 'z'].map((sealed) => store.identity.write({ version: 1, sealed })),
    );
    assert.equal(first.filter((isStored) => isStored).length, 1);
    const stored = await store.identity.read();
    assert.deepEqual(stored, { version: 1, sealed: ['x', 'y', 'z'][first.indexOf(true)] });
    const second = await Promise.all(
      ['u', 'v'].map((sealed) => store.identity.write({ version: 2, sealed })),
    );
    assert.equal(second.filter((isStored) => isStored).length, 1);
    assert.equal(await store.identity.version(), 2);
    assert.equal(await store.identity.write({ version: 1, sealed: 'late' }), false);
    assert.deepEqual(await store.identity.read(), { version: 2, sealed: ['u', 'v'][second.indexOf(true)] });
  });
}
