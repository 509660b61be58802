import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CancelKeys } from '../../../../src/gateway/databases/postgres/cancel-keys.ts';

const a = { sessionId: 'a', rule: 'orders', host: 'db.test', port: 5432 };
const one = { key: { processId: 7, secret: Uint8Array.of(9, 9, 9, 9) }, place: 'here' };

test('a key serves the session, the rule and the server that it was given for, and no longer than its connection', () => {
  let next = 0;
  const keys = new CancelKeys<string>((count) => new Uint8Array(count).fill((next += 1)));
  const { key, forget } = keys.add(a, one);
  assert.deepEqual(key, { processId: 0x01010101, secret: Uint8Array.of(1, 1, 1, 1) });
  assert.equal(keys.find(a, key), one);
  for (const other of [{ sessionId: 'b' }, { rule: 'stock' }, { host: 'other.test' }, { port: 5433 }])
    assert.equal(keys.find({ ...a, ...other }, key), undefined, JSON.stringify(other));
  assert.equal(keys.find(a, one.key), undefined, "the server's own key is told to nobody");
  assert.equal(keys.find(a, { ...key, secret: Uint8Array.of(1, 1, 1) }), undefined);
  assert.equal(keys.find(a, { ...key, processId: key.processId + 1 }), undefined);
  forget();
  forget();
  assert.deepEqual([keys.find(a, key), keys.size], [undefined, 0]);
});

test('no two connections of a session have the same key, and numbers of processes are positive', () => {
  const given = [0xff, 0xff, 0x01];
  const keys = new CancelKeys<string>((count) => new Uint8Array(count).fill(given.shift() ?? 0));
  const first = keys.add(a, one);
  const second = keys.add(a, one);
  assert.equal(first.key.processId, 0x7fffffff);
  assert.equal(second.key.processId, 0x01010101);
});
