import assert from 'node:assert/strict';
import test from 'node:test';

import { bodyLength, fieldTokens, parseHandshakeResponse } from '../../src/net/websocket-response.ts';
import type { HandshakeResponse } from '../../src/net/websocket-response.ts';

function parse(text: string): HandshakeResponse {
  const response = parseHandshakeResponse(Buffer.from(text, 'latin1'), 1000);
  assert.ok(response !== undefined);
  return response;
}

test('a head is not complete before its empty line', () => {
  const head = 'HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n';
  for (let length = 0; length < head.length; length += 1) {
    assert.equal(parseHandshakeResponse(Buffer.from(head.slice(0, length)), 1000), undefined);
  }
  assert.equal(parse(head).status, 101);
});

test('names become lower-case, values lose their blanks, and what follows is kept', () => {
  const response = parse('HTTP/1.1 200 OK\r\nX-One:  a b \t\r\nX-Empty:\r\nx-one:c\r\n\r\nrest');
  assert.deepEqual(response.fields, [
    ['x-one', 'a b'],
    ['x-empty', ''],
    ['x-one', 'c'],
  ]);
  assert.equal(String(response.rest), 'rest');
});

test('lists of several fields are taken apart', () => {
  const response = parse('HTTP/1.1 200 OK\r\nConnection: keep-alive , Upgrade\r\nConnection: ,x\r\n\r\n');
  assert.deepEqual(fieldTokens(response, 'connection'), ['keep-alive', 'Upgrade', 'x']);
  assert.deepEqual(fieldTokens(response, 'absent'), []);
});

test('a head above the limit is refused, complete or not', () => {
  for (const end of ['', '\r\n\r\n']) {
    const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nA: ${'x'.repeat(1000)}${end}`);
    assert.throws(() => parseHandshakeResponse(bytes, 1000), { code: 'gateway_protocol' });
  }
});

for (const text of [
  'HTTP/2 200\r\n\r\n',
  'HTTP/1.1 99 x\r\n\r\n',
  'HTTP/1.1  200 OK\r\n\r\n',
  'http/1.1 200 OK\r\n\r\n',
  'HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n',
  'HTTP/1.1 200 OK\r\n: x\r\n\r\n',
  'HTTP/1.1 200 OK\r\nA: x\0y\r\n\r\n',
  'HTTP/1.1 200 OK\r\nA: x\ny: z\r\n\r\n',
]) {
  test(`${JSON.stringify(text)} is not a response`, () => {
    assert.throws(() => parseHandshakeResponse(Buffer.from(text, 'latin1'), 1000), {
      code: 'gateway_protocol',
    });
  });
}

test('the length of a body is believed only up to the limit, and only if it is a number', () => {
  const of = (value: string): number =>
    bodyLength(parse(`HTTP/1.1 400 x\r\nContent-Length: ${value}\r\n\r\n`), 500);
  assert.deepEqual(
    ['0', '12', '500', '501', '99999999999999999999', '-1', '1e3', 'x'].map(of),
    [0, 12, 500, 500, 0, 0, 0, 0],
  );
  assert.equal(bodyLength(parse('HTTP/1.1 400 x\r\n\r\n'), 500), 0);
});
