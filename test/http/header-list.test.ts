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
