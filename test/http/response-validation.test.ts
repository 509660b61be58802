import assert from 'node:assert/strict';
import test from 'node:test';

import { validateResponse } from '../../src/http/response-validation.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';

function headers(status: number, ...rawHeaders: string[]): readonly string[] {
  return validateResponse({ status, rawHeaders, requestMethod: 'GET' }).headers.toRaw();
}

function refused(status: number, ...rawHeaders: string[]): void {
  assert.throws(
    () => headers(status, ...rawHeaders),
    { code: 'origin_malformed' },
    `${status} ${rawHeaders.join('|')}`,
  );
}

test('end-to-end fields pass in order, with their bytes above 0x7F', () => {
  const raw = ['Date', 'x', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Name', 'caf\xe9'];
  assert.deepEqual(headers(200, ...raw), raw);
});

test('fields of one hop, Alt-Svc, Upgrade and what Connection lists are removed', () => {
  const raw = [
    'Connection',
    'close, X-Hop',
    'X-Hop',
    '1',
    'Keep-Alive',
    'x',
    'Alt-Svc',
    'h3=":443"',
    'Upgrade',
    'h2c',
    'Trailer',
    'x',
    'Proxy-Authenticate',
    'Basic',
  ];
  assert.deepEqual(headers(200, ...raw), []);
});

test('one length is kept, equal repeats are one, different ones are refused', () => {
  assert.deepEqual(headers(200, 'Content-Length', '5', 'content-length', '5'), ['Content-Length', '5']);
  assert.deepEqual(headers(200, 'Content-Length', '5, 5'), ['Content-Length', '5']);
  refused(200, 'Content-Length', '5', 'Content-Length', '6');
  for (const value of ['5, 6', '-1', '+5', '0x5', '', '5,']) refused(200, 'Content-Length', value);
});

test('the length of a response without a body stays only where it describes the body that would be', () => {
  assert.deepEqual(headers(304, 'Content-Length', '5'), ['Content-Length', '5']);
  assert.deepEqual(headers(204, 'Content-Length', '5'), []);
  assert.deepEqual(headers(103, 'Content-Length', '5', 'Link', '</a>'), ['Link', '</a>']);
});

test('framing that two parsers could read differently is refused', () => {
  assert.deepEqual(headers(200, 'Transfer-Encoding', 'chunked'), []);
  refused(200, 'Transfer-Encoding', 'chunked', 'Content-Length', '5');
  refused(200, 'Transfer-Encoding', 'gzip, chunked');
  refused(200, 'Transfer-Encoding', 'identity');
});

test('control characters and a status that is none are refused', () => {
  refused(200, 'X', 'a\rb');
  refused(200, 'X', 'a\nb: c');
  refused(200, 'X\0', 'a');
  for (const status of [99, 0, 600, 1000, Number.NaN, 200.5]) refused(status);
});

test('a switch of protocols passes only if it was asked for', () => {
  const input = {
    status: 101,
    rawHeaders: ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Accept', 'x'],
    requestMethod: 'GET',
  };
  assert.throws(() => validateResponse(input), { code: 'origin_malformed' });
  assert.deepEqual(validateResponse({ ...input, upgrade: 'websocket' }).headers.toRaw(), [
    'Sec-WebSocket-Accept',
    'x',
  ]);
  const other = { ...input, rawHeaders: ['Upgrade', 'h2c'], upgrade: 'websocket' } as const;
  assert.throws(() => validateResponse(other), { code: 'origin_malformed' });
});

test('the size and the number of fields have limits', () => {
  refused(200, ...Array.from({ length: defaultLimits.headersCountMax + 1 }, () => ['a', 'b']).flat());
  refused(200, 'a', 'x'.repeat(defaultLimits.headBytesMax));
});
