// A list under a pointer: nothing in it moves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holdList } from '../../../src/console/model/held-list.ts';

test('what a pointer is over stays where it is with its newest values, and what came or went is counted', () => {
  const before = [
    { id: 'a', state: 'pending' },
    { id: 'b', state: 'pending' },
  ];
  const now = [
    { id: 'new', state: 'pending' },
    { id: 'b', state: 'asked again' },
  ];
  const gone = new Map([['a', { id: 'a', state: 'denied' }]]);
  assert.deepEqual(holdList(before, now, gone), {
    items: [
      { id: 'a', state: 'denied' },
      { id: 'b', state: 'asked again' },
    ],
    waiting: 2,
  });
  assert.deepEqual(holdList(before, before), { items: before, waiting: 0 });
});
