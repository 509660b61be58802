import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MintingRate } from '../../src/intercept/minting-rate.ts';
import { ProxyError } from '../../src/protocol/error.ts';

const refused = (error: unknown): boolean => {
  assert.ok(error instanceof ProxyError && error.code === 'limit_exceeded');
  assert.match(error.message, /leavesPerSecondMax \(3\)/);
  return true;
};

describe('the minting rate', () => {
  test('allows a burst of one second, then what time refills', () => {
    const rate = new MintingRate({ leavesPerSecondMax: 3 });
    for (let leaf = 0; leaf < 3; leaf++) rate.take('a', 1000);
    assert.throws(() => rate.take('a', 1000), refused);
    assert.throws(() => rate.take('a', 1300), refused);
    rate.take('a', 1334);
    assert.throws(() => rate.take('a', 1334), refused);
    for (let leaf = 0; leaf < 3; leaf++) rate.take('a', 100_000);
    assert.throws(() => rate.take('a', 100_000), refused);
  });

  test('of one owner is not that of another', () => {
    const rate = new MintingRate({ leavesPerSecondMax: 3 });
    for (let leaf = 0; leaf < 3; leaf++) rate.take('a', 0);
    assert.throws(() => rate.take('a', 0), refused);
    rate.take('b', 0);
  });

  test('is not refilled by a clock that goes back', () => {
    const rate = new MintingRate({ leavesPerSecondMax: 3 });
    for (let leaf = 0; leaf < 3; leaf++) rate.take('a', 10_000);
    assert.throws(() => rate.take('a', 0), refused);
  });

  test('remembers the owners of late', () => {
    const rate = new MintingRate({ leavesPerSecondMax: 3 });
    for (let leaf = 0; leaf < 3; leaf++) rate.take('a', 0);
    for (let owner = 0; owner < 1000; owner++) rate.take(`owner ${String(owner)}`, 0);
    assert.throws(() => rate.take('a', 0), refused);
    for (let owner = 0; owner < 2000; owner++) rate.take(`other ${String(owner)}`, 0);
    rate.take('a', 0);
  });
});
