import assert from 'node:assert/strict';
import test from 'node:test';

import { HeaderList } from '../../src/http/header-list.ts';

test('names are found in any letter case, and order and spelling are kept', () => {
  const list = HeaderList.fromRaw(['X-One', '1', 'x-two', '2', 'X-ONE', '3']);
  assert.deepEqual(list.all('x-one'), ['1', '3']);
  assert.equal(list.first('X-Two'), '2');
  assert.deepEqual(list.toRaw(), ['X-One', '1', 'x-two', '2', 'X-ONE', '3']);
  assert.equal(list.size, 3);
});

test('a change gives a new list and removes every spelling of the name', () => {
  const list = HeaderList.fromRaw(['Authorization', 'a', 'AUTHORIZATION', 'b', 'x', 'c']);
  assert.deepEqual(list.with('authorization', 'new').toRaw(), ['x', 'c', 'authorization', 'new']);
  assert.equal(list.without('authorization', 'X').size, 0);
  assert.equal(list.size, 3);
  assert.equal(list.has('missing'), false);
});

test('a filter judges lower-case names, and what it leaves is found as before', () => {
  const list = HeaderList.fromRaw(['Keep', '1', 'Drop', '2', 'KEEP', '3']);
  const kept = list.filter((name) => name !== 'drop');
  assert.deepEqual(kept.toRaw(), ['Keep', '1', 'KEEP', '3']);
  assert.deepEqual(kept.all('keep'), ['1', '3']);
  assert.equal(kept.has('drop'), false);
  assert.equal(list.size, 3);
});

test('a repeated name is one that stands twice in any spelling', () => {
  const list = HeaderList.fromRaw(['Range', '1', 'x', '2', 'RANGE', '3']);
  assert.equal(list.isRepeated('range'), true);
  assert.equal(list.isRepeated('X'), false);
  assert.equal(list.isRepeated('missing'), false);
});
