// What is told of the causes of an error: facts of the system, and no text of anybody else.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causesOf } from '../../../src/cli/terminal/causes.ts';

const cause = (message: string, facts: object, below?: Error): Error =>
  Object.assign(new Error(message, { cause: below }), facts);

test('the system says what failed, and where', () => {
  const inner = cause('connect', {
    code: 'ECONNREFUSED',
    syscall: 'connect',
    address: '127.0.0.1',
    port: 5432,
  });
  const outer = cause('secret', { code: 'ENOENT', syscall: 'open', path: '/a' }, inner);
  assert.deepEqual(causesOf(new Error('x', { cause: outer })), [
    'ENOENT open /a',
    'ECONNREFUSED connect 127.0.0.1:5432',
  ]);
});

test('no text of a cause is told, and no chain without end is followed', () => {
  const plain = cause('the password is secret', {});
  const odd = cause('x', { code: 'ENOENT, and a secret' }, plain);
  assert.deepEqual(causesOf(new Error('x', { cause: odd })), []);
  const ring = cause('x', { code: 'EIO' });
  ring.cause = ring;
  assert.deepEqual(causesOf(ring).length, 5);
  assert.deepEqual(causesOf(new Error('x', { cause: 'secret' })), []);
});
