// What a text finds among all commands.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandsFor } from '../../../src/console/model/palette-commands.ts';

const names = (text: string): readonly string[] => commandsFor(text).map(({ name }) => name);

test('words find commands by their names, in any order', () => {
  assert.ok(names('').length > 5 && names('').length <= 12);
  assert.deepEqual(names('minutes denied').slice(0, 1), ['Denied in the last 15 minutes']);
  assert.deepEqual(names('log out').slice(0, 1), ['Log out']);
});

test('a trace opens its exchange, and any other text is a filter, shown as plain text', () => {
  const [first] = commandsFor('0AF7651916CD43DD8448EB211C80319C');
  assert.deepEqual(first?.act, { to: '/exchange/0af7651916cd43dd8448eb211c80319c' });
  const last = commandsFor('host:api.example.com verdict:deny').at(-1);
  assert.equal(last?.name, 'Filter Live by host:api.example.com verdict:deny');
  assert.deepEqual(last.act, { to: '/live?q=host%3Aapi.example.com+verdict%3Adeny' });
  assert.match(names('x\u202ey').at(-1) ?? '', /^Filter Live by x\\u202ey$/);
  assert.deepEqual(names('nokey:x'), []);
});
