// What every engine of the store must do with newest heads of trees; part of the suite in store.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store } from '../../src/store/store.ts';

export function treeHeadConformance(open: () => Promise<Store>): void {
  test('the newest head of a tree is advanced by who knows the one before it, and others are told of it', async () => {
    await using store = await open();
    const { treeHeads } = store;
    assert.equal(await treeHeads.find('key'), undefined);
    assert.equal(await treeHeads.advance('key', undefined, 'one'), 'one');
    assert.equal(await treeHeads.advance('key', undefined, 'other'), 'one');
    assert.equal(await treeHeads.advance('key', 'one', 'two'), 'two');
    assert.equal(await treeHeads.advance('key', 'one', 'three'), 'two');
    assert.equal(await treeHeads.find('key'), 'two');
    assert.equal(await treeHeads.find('another'), undefined);
    assert.equal(await treeHeads.advance('another', 'lost', 'again'), 'again');
  });

  test('of gateways that advance it at once one does', async () => {
    await using store = await open();
    const names = Array.from({ length: 20 }, (_, i) => String(i));
    const told = await Promise.all(names.map((one) => store.treeHeads.advance('key', undefined, one)));
    assert.equal(new Set(told).size, 1);
    assert.equal(await store.treeHeads.find('key'), told[0]);
  });
}
