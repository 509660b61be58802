import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HeaderList } from '../../src/http/header-list.ts';
import type { RequestHead } from '../../src/http/message-head.ts';
import { encodeBodyEnd, encodeRequestHead } from '../../src/http/request-writer.ts';

const head: RequestHead = {
  method: 'GET',
  destination: { scheme: 'https', host: 'example.com', port: 8443 },
  path: '/a',
  query: '?b',
  headers: new HeaderList([
    ['Accept', '*/*'],
    ['X-B', 'caf\xe9'],
  ]),
  httpVersion: '1.1',
};
const first = 'GET /a?b HTTP/1.1\r\nhost: example.com:8443\r\n';
const fields = 'Accept: */*\r\nX-B: caf\xe9\r\n';

test('a head is written with the host of its destination and its fields in order', () => {
  assert.equal(encodeRequestHead(head, 'none'), `${first}connection: keep-alive\r\n${fields}\r\n`);
});

test('the framing is the one that is given, once', () => {
  assert.match(encodeRequestHead(head, 0), /\xe9\r\ncontent-length: 0\r\n\r\n$/);
  assert.match(encodeRequestHead(head, 'chunked'), /\xe9\r\ntransfer-encoding: chunked\r\n\r\n$/);
});

test('a request to switch says to what', () => {
  const text = encodeRequestHead(head, 'none', { switchTo: 'websocket' });
  assert.equal(text, `${first}connection: Upgrade\r\nupgrade: websocket\r\n${fields}\r\n`);
});

const broken: readonly (readonly [string, Partial<RequestHead>])[] = [
  ['a method with a blank', { method: 'GET /x HTTP/1.1\r\nX: y' }],
  ['a path with a blank', { path: '/a b' }],
  ['a query with a line end', { query: '?a\r\nX: y' }],
  ['a path beyond ASCII', { path: '/caf\xe9' }],
  ['a name with a colon', { headers: new HeaderList([['X:', 'y']]) }],
  ['a value with a line end', { headers: new HeaderList([['X', 'a\r\nY: b']]) }],
  ['a value beyond a byte, whose low half is a line end', { headers: new HeaderList([['X', 'a\u010ab']]) }],
];

for (const [name, change] of broken) {
  test(`${name} is not written`, () => {
    assert.throws(() => encodeRequestHead({ ...head, ...change }, 'none'), { code: 'internal' });
  });
}

test('a value that is refused is not told', () => {
  const secret = { ...head, headers: new HeaderList([['Authorization', 'secret\n']]) };
  assert.throws(
    () => encodeRequestHead(secret, 'none'),
    (error: Error) => !error.message.includes('secret'),
  );
});

test('a chunked body ends with its trailers', () => {
  assert.equal(encodeBodyEnd([]), '0\r\n\r\n');
  assert.equal(encodeBodyEnd(['Digest', 'x', 'B', 'y']), '0\r\nDigest: x\r\nB: y\r\n\r\n');
  assert.throws(() => encodeBodyEnd(['A', 'x\r\n\r\nGET / HTTP/1.1']), { code: 'internal' });
});
